"""A judge's text in pieces: which side each sentence speaks of, and where its flaws are.

The pieces joined give the text back, character for character: what a reviewer reads is what the
judge wrote. Every pattern is bounded, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from backend.domain.pairs import MediaKind
from backend.domain.reading.flaws import Flaw
from backend.domain.reading.headings import heading_side
from backend.domain.reading.lexer import marks_of
from backend.domain.reading.texts import read_tag
from backend.domain.reading.totals import TOTAL
from backend.domain.reading.verdict import HIGHEST_SCORE, LOWEST_SCORE


class About(StrEnum):
    """What a sentence speaks of, in the shown order."""

    FIRST = "first"
    SECOND = "second"
    NEITHER = "neither"
    """Neither, or both at once."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text. An empty one stands where something is missing."""

    text: str
    about: About
    flaws: tuple[Flaw, ...] = ()


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    flaw: Flaw


@dataclass(slots=True)
class _Cut:
    start: int
    end: int
    about: About
    flaws: tuple[Flaw, ...]


_SIDES = (About.FIRST, About.SECOND)
# A sentence ends at its mark and the space behind it. "9.5", "e.g. a" and "vs. 3" do not end one.
_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)[.!?…]['\")\]*]{0,3}"
    r"(?:[ \t]{0,8}\n|[ \t]{1,8})|[。！？]|\n"
)
_TURN = re.compile(
    r";\s{0,4}|,\s{0,4}(?=(?:while|whereas|but|and|yet|although|though)\b)|\s(?=(?:while|whereas)\b)", re.IGNORECASE
)
_PRONOUN = re.compile(r"[\s*_•+-]{0,8}(?:it|its|it's|this\s(?:image|video|one))\b", re.IGNORECASE)
_TAG = re.compile(r"<\s{0,4}(?P<close>/?)\s{0,4}(?P<name>think|answer)\s{0,4}>", re.IGNORECASE)
_TOTAL = re.compile(rf"\b(?:totals?|overall|sums?|final\sscores?)\b|{TOTAL}", re.IGNORECASE)
_LONGEST_LINE = 2_000


def read_pieces(text: str, kind: MediaKind, flaws: frozenset[Flaw]) -> list[Piece]:
    """Cut a judge's text where what it speaks of changes, and where a flaw starts or ends.

    A sentence is about the one side that it names; a line that is a side's name alone, as in
    "**Image 1:**", speaks for the lines below it up to an empty one; "It …" goes on about the side
    before. Of a sentence that names both sides, the clauses are told apart.

    Args:
        flaws: As parsing found them; each is marked at its place, or at the start or end of the
            text where it has none.
    """
    spans = sorted(_flaw_spans(text, kind, flaws), key=lambda span: (span.start, span.end))
    cuts: list[_Cut] = []
    open_: list[_Span] = []
    waiting = iter(spans)
    upcoming = next(waiting, None)
    place = 0
    for end, about in _sentences(text):
        while place < end:
            while upcoming is not None and upcoming.start <= place:
                if upcoming.start == upcoming.end:
                    cuts.append(_Cut(place, place, About.NEITHER, (upcoming.flaw,)))
                else:
                    open_.append(upcoming)
                upcoming = next(waiting, None)
            open_ = [span for span in open_ if span.end > place]
            cut = min([end, *(span.end for span in open_)] + ([upcoming.start] if upcoming else []))
            names = tuple(dict.fromkeys(span.flaw for span in open_))
            last = cuts[-1] if cuts else None
            if last and last.start < place and (last.about, last.flaws) == (about, names):
                # A text of a million characters is not to become a hundred thousand pieces.
                last.end = cut
            else:
                cuts.append(_Cut(place, cut, about, names))
            place = cut
    while upcoming is not None:
        cuts.append(_Cut(place, place, About.NEITHER, (upcoming.flaw,)))
        upcoming = next(waiting, None)
    return [Piece(text[cut.start : cut.end], cut.about, cut.flaws) for cut in cuts]


def _sentences(text: str) -> Iterator[tuple[int, About]]:
    """Where each sentence or clause ends, and what it is about."""
    heading = last = About.NEITHER
    for start, end in _cut(text, _END, 0, len(text)):
        sentence = text[start:end]
        if not sentence.strip():
            if sentence == "\n":
                heading = last = About.NEITHER
            yield end, About.NEITHER
            continue
        sides = _named(sentence)
        if not sides:
            about = last if _PRONOUN.match(sentence) else heading
            yield end, about
            continue
        if len(sides) == 1:
            last = sides.pop()
            if heading_side(sentence.strip()) is not None:
                heading = last
            yield end, last
            continue
        heading = About.NEITHER
        for clause_start, clause_end in _cut(text, _TURN, start, end):
            named = _named(text[clause_start:clause_end])
            last = named.pop() if len(named) == 1 else About.NEITHER
            yield clause_end, last


def _cut(text: str, mark: re.Pattern[str], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """``start`` to ``stop`` in stretches that each end behind a mark."""
    for match in mark.finditer(text, start, stop):
        if match.end() > start:
            yield start, match.end()
            start = match.end()
    if start < stop:
        yield start, stop


def _named(sentence: str) -> set[About]:
    return {_SIDES[mark.side] for mark in marks_of(sentence) if mark.side is not None}


def _flaw_spans(text: str, kind: MediaKind, flaws: frozenset[Flaw]) -> Iterator[_Span]:
    answers = list(_answer_spans(text))
    for flaw in flaws:
        places: list[tuple[int, int]] = []
        if flaw is Flaw.UNREADABLE_ANSWER:
            places = [span for span in answers if read_tag(_inside(text, span)) is None]
        elif flaw in (Flaw.CONFLICTING_ANSWERS, Flaw.CONTRADICTS_TOTALS):
            places = answers
        elif flaw is Flaw.WRONG_MEDIUM:
            places = [
                span
                for span in answers
                if (reading := read_tag(_inside(text, span))) and reading.medium not in (None, kind)
            ]
        elif flaw is Flaw.TOTAL_MISMATCH:
            places = [
                (start, end)
                for start, end in _cut(text, re.compile("\n"), 0, len(text))
                if end - start < _LONGEST_LINE and _TOTAL.search(text, start, end)
            ]
        elif flaw is Flaw.SCORE_OUT_OF_RANGE:
            places = list(_out_of_range(text))
        elif flaw is Flaw.UNCLOSED_REASONING:
            tags = [tag for tag in _TAG.finditer(text) if tag["name"].lower() == "think"]
            places = [tag.span() for tag in tags[-1:] if not tag["close"]]
        if not places:
            at_end = flaw in (Flaw.NO_ANSWER, Flaw.CUT_OFF, Flaw.UNREADABLE_ANSWER)
            places = [(len(text), len(text))] if at_end else [(0, 0)]
        for start, end in places:
            yield _Span(start, end, flaw)


def _answer_spans(text: str) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for tag in _TAG.finditer(text):
        if tag["name"].lower() != "answer":
            continue
        if not tag["close"]:
            start = tag.start()
        elif start is not None:
            yield start, tag.end()
            start = None
    if start is not None:
        yield start, len(text)


def _inside(text: str, span: tuple[int, int]) -> str:
    return _TAG.sub("", text[span[0] : span[1]])


def _out_of_range(text: str) -> Iterator[tuple[int, int]]:
    for start, end in _cut(text, re.compile("\n"), 0, len(text)):
        if _TOTAL.search(text, start, end):
            continue
        for mark in marks_of(text[start:end]):
            if mark.value is not None and not LOWEST_SCORE <= mark.value <= HIGHEST_SCORE:
                yield start + mark.start, start + mark.end
