"""Answers that are a form and no sentence: "2", ``[[A>B]]``, ``\\boxed{1}``, a JSON object.

The forms are those that judges of public projects are asked for: MT-Bench's and GenAI-Bench's double
brackets, UnifiedReward-Flex's and MMRB2's objects.
"""

from __future__ import annotations

import json
import re
from typing import Any

from backend.domain.pairs import Preference
from backend.domain.reading.answers import LONGEST_ANSWER, PREFERENCES, Reading
from backend.domain.reading.names import SIDE, SPOKEN_SIDE, medium_of, side_of
from backend.domain.reading.plain import plain, undressed

_BARE = re.compile(
    rf"(?:(?:the|my|our|final|answer|is|verdict|winner|choice|it|so|i|would|choose|prefer|pick|select|答案|选择|选|是|为)"
    rf"[\s:,]{{0,3}}){{0,6}}"
    rf"(?:(?P<side>{SIDE}|{SPOKEN_SIDE})(?:\s(?:image|video|one))?"
    r"|(?<![a-z])(?P<number>[12]|one|two|first|second|left|right|(?-i:[AB]))"
    r"|(?P<tie>(?<![a-z])(?:(?:it\s(?:is|s)\s)?(?:a\s)?(?:tie|draw)|same|equal(?:ly\sgood)?)|平局|平手|一样好))",
    re.IGNORECASE,
)
_NUMBERS = {"1": 0, "one": 0, "first": 0, "a": 0, "left": 0} | {"2": 1, "two": 1, "second": 1, "b": 1, "right": 1}
# "[[A]]", "[[C]]" for a tie, "[[A>>B]]", "[[A=B=Bad]]"; without brackets only where it is all there is.
_RANKED = re.compile(
    r"(?:(?:image|video|response)\s?)?(?P<a>[AB12])\s?(?P<sign>>{1,3}|≻|={1,2})\s?(?:(?:image|video|response)\s?)?"
    r"(?P<b>[AB12])(?:\s?=\s?(?:good|bad))?",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[\[([^\[\]\n]{1,40})\]\]")
_BOXED = re.compile(r"\\boxed\s?\{((?:[^{}\n]|\{[^{}\n]{0,80}\}){0,120})\}")
_MARKED = re.compile(
    r"<\|begin_of_box\|>(.{0,400}?)<\|end_of_box\|>"
    r"|<(choice|verdict|winner|preference|final_answer)>(.{0,400}?)</\2>",
    re.IGNORECASE | re.DOTALL,
)
_NUMBER = re.compile(r"[0-9.]{1,8}")
_OF_SCORES = re.compile(r"\b(?:scores?|ratings?|totals?|points?|difference)\b[^\n]*$", re.IGNORECASE)
_LABELLED = re.compile(
    r"^[\s*_#>-]{0,6}(?:(?:my|the|final|overall)\s){0,3}(?:answer|winner|verdict|choice|preference|decision"
    r"|(?:better|best|preferred)(?:\s(?:one|image|video|response))?)\W{0,4}[:=]\s{0,2}(.{1,40})$",
    re.IGNORECASE | re.MULTILINE,
)
_WINNER_KEYS = (
    "winner",
    "overall_winner",
    "preferred",
    "preference",
    "preferred_image",
    "preferred_video",
    "preferred_response",
    "better",
    "better_image",
    "better_video",
    "better_response",
    "better_one",
    "choice",
    "answer",
    "final_answer",
    "verdict",
    "final_verdict",
    "decision",
)
_WINNER_KEY = re.compile(rf"[\"'](?:{'|'.join(_WINNER_KEYS)})[\"']\s{{0,4}}:", re.IGNORECASE)
_REASON_KEYS = ("reason", "reasoning", "rationale", "explanation", "analysis", "cat_reason", "categories")
# json_repair takes a text apart sign by sign; what a judge writes is shorter.
_LONGEST_OBJECT = 20_000


def read_bare(content: str) -> Reading | None:
    """An answer that is a side's name, a number, a letter or a ranking, and nothing else."""
    if bracket := _BRACKETS.fullmatch(content.strip()):
        return _in_brackets(bracket[1])
    words = " ".join(undressed(content[:LONGEST_ANSWER]).split()).strip(" .!:;,-")
    if bare := _BARE.fullmatch(words):
        if bare["tie"]:
            return Reading(Preference.TIE, None, "bare tie")
        if bare["side"]:
            return Reading(PREFERENCES[side_of(bare["side"])], medium_of(words), "bare name")
        return Reading(PREFERENCES[_NUMBERS[bare["number"].casefold()]], None, "bare number")
    return _ranked(words)


def _in_brackets(content: str) -> Reading | None:
    if content.strip() in ("C", "Tie", "TIE", "tie"):
        return Reading(Preference.TIE, None, "double brackets")
    reading = _ranked(content.strip()) or read_bare(content)
    return reading and Reading(reading.side, reading.medium, "double brackets")


def _ranked(words: str) -> Reading | None:
    match = _RANKED.fullmatch(words)
    if match is None:
        return None
    better, other = (_NUMBERS[match[name].casefold()] for name in ("a", "b"))
    if better == other:
        return None
    side = Preference.TIE if match["sign"].startswith("=") else PREFERENCES[better]
    return Reading(side, medium_of(words), "ranking")


def marked_contents(text: str) -> tuple[list[str], str]:
    """What stands in marks of an answer other than its tag (GLM's box, ``<choice>`` and its kin), and
    ``text`` without it."""
    contents = [match[1] if match[1] is not None else match[3] for match in _MARKED.finditer(text)]
    return contents, _MARKED.sub("\n", text) if contents else text


def marked_forms(text: str) -> tuple[list[Reading | None], str]:
    """The answers in ``text`` that have a form of their own, and ``text`` without its JSON object.

    They are brackets, boxes, an object, and lines such as "Answer: A"; ``None`` for an object that
    names no clear winner.
    """
    found: list[Reading | None] = []
    if "{" in text and object_of(text) is not None:
        found.append(read_object(text))
        text = f"{text[: text.find('{')]}\n{text[text.rfind('}') + 1 :] if '}' in text else ''}"
    found += filter(None, (_in_brackets(match[1]) for match in _BRACKETS.finditer(text)))
    boxes = [(plain(match[1]).strip(), match) for match in _BOXED.finditer(text)]
    numbers = [content for content, _ in boxes if _NUMBER.fullmatch(content)]
    for content, match in boxes:
        # "Each gets \\boxed{8}": a lone number is an answer only where it is the one and the last word.
        is_score = _NUMBER.fullmatch(content) and (
            len(numbers) > 1
            or text[match.end() :].strip(" \t\r\n.$*)]")
            or _OF_SCORES.search(text, max(0, match.start() - 80), match.start())
        )
        if not is_score and (reading := read_bare(content)):
            found.append(Reading(reading.side, reading.medium, "boxed"))
    for match in _LABELLED.finditer(text):
        reading = read_bare(match[1])
        if reading and reading.rule != "bare tie":
            found.append(Reading(reading.side, reading.medium, "labelled line"))
    return found, text


def read_object(text: str) -> Reading | None:
    """The winner that a JSON object in ``text`` names; ``None`` without one, or with two that differ."""
    found = object_of(text)
    if found is None:
        return None
    named = {key.casefold(): found[key] for key in found if key.casefold() in _WINNER_KEYS}
    readings = []
    for value in named.values():
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        readings.append(read_bare(str(value)))
    sides = {reading and reading.side for reading in readings}
    if len(sides) != 1 or readings[0] is None:
        return None
    return Reading(readings[0].side, readings[0].medium, "JSON object")


def reasons_in_object(text: str) -> bool:
    """Does a JSON object in ``text`` give reasons beside its winner?"""
    found = object_of(text) if "{" in text else None
    return found is not None and any(found.get(key) for key in _REASON_KEYS)


def object_of(text: str) -> dict[str, Any] | None:
    """The JSON object with a winner in ``text``, repaired where it is broken or cut off.

    An object whose key is repeated with another value says nothing: ``None``.
    """
    if not _WINNER_KEY.search(text):
        return None
    start = text.find("{")
    body = text[start : start + _LONGEST_OBJECT]
    end = body.rfind("}")
    try:
        value = json.loads(body[: end + 1], object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        keys = [match[0].casefold() for match in _WINNER_KEY.finditer(body)]
        if len(set(keys)) < len(keys):
            return None
        value = _repaired(body)
    return value if isinstance(value, dict) else None


def _repaired(body: str) -> Any:
    try:
        import json_repair
    except ImportError:  # a worker's or trainer's own interpreter may lack it: then nothing is read
        return None
    try:
        return json_repair.loads(body)
    except (ValueError, RecursionError):
        return None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        # A value that is no answer: whoever repeats a key says two things.
        found[key] = [found[key], value] if key in found and found[key] != value else value
    return found
