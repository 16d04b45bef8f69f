"""The answer in a tag's content, and the answer in a text without a tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from backend.domain.pairs import Preference
from backend.domain.reading.answers import LONGEST_ANSWER, PREFERENCES, Reading, agreed, statements_of
from backend.domain.reading.forms import marked_contents, marked_forms, read_bare, read_object
from backend.domain.reading.rules import Says

# An untagged answer stands at the end of its text.
_LONGEST_ENDING = 100_000
_SHORT = 120
# "A is better", "2 wins": a letter or number that only its place makes a name.
_NUMBER_FIRST = re.compile(r"\A\s*([AB12])(?=\s(?:is|was|wins)\b)")


@dataclass(frozen=True, slots=True)
class Untagged:
    """What a text without an answer tag says.

    Attributes:
        anything: Something is said of the sides, be it clear or not.
        conflict: What is said names both.
    """

    reading: Reading | None
    anything: bool
    conflict: bool = False


def read_tag(content: str) -> Reading | None:
    """What an answer tag says; ``None`` when it does not clearly say one thing."""
    return _read_short(content) if len(content) < _SHORT else _read(content[:LONGEST_ANSWER])


def _read(content: str) -> Reading | None:
    if reading := read_bare(content):
        return reading
    if "{" in content and (reading := read_object(content)):
        return reading
    content = _NUMBER_FIRST.sub(r"option \1", content)
    return agreed(statements_of(content), alone=True)


def read_untagged(text: str) -> Untagged:
    """What ``text``, which stands outside of reasoning and tags, says."""
    text = text[-_LONGEST_ENDING:]
    if len(text) < _SHORT and (bare := read_bare(text)):
        return Untagged(bare, True)
    contents, rest = marked_contents(text)
    forms, rest = marked_forms(rest)
    marks = [*map(read_tag, dict.fromkeys(contents)), *dict.fromkeys(forms)]
    statements = statements_of(rest)
    for_sides = {s.side for s in statements if s.says is Says.FOR}
    parts = {s.side for s in statements if s.says is Says.IN_PART}
    if not marks:
        reading = agreed(statements, alone=False)
        said = for_sides or parts
        return Untagged(reading, bool(statements), reading is None and len(said) > 1)
    readings = [reading for reading in marks if reading is not None]
    sides = {reading.side for reading in readings}
    sides |= {PREFERENCES[side] for side in for_sides if side is not None}
    sides |= {Preference.TIE for s in statements if s.says is Says.TIE}
    if len(readings) < len(marks) or len(sides) != 1:
        return Untagged(None, True, len(sides) > 1)
    first = readings[0]
    single = all(s.says in (Says.FOR, Says.TIE) for s in statements)
    return Untagged(Reading(first.side, first.medium, first.rule, single), True)


# Judges answer in the same few words, thousands of times.
_read_short = lru_cache(maxsize=256)(_read)
