"""The scores and totals in a judge's reasoning, in the many ways in which models write them.

The text is read line by line. A line names a dimension, or a side, or both, or stands below a line
that did; what it says is kept for the lines that follow it. A line that names several is first cut
into one for each. A number is a score only where its form (``8/10``, ``(8)``) or its place
(``Image 1: 8``) says so, since rationales are full of numbers.

All quantifiers are bounded and every line is walked once: the time is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.domain.pairs import MediaKind
from backend.domain.reading.headings import (
    BRACKETED,
    BULLET,
    KNOWN_NAME,
    KNOWN_NAMES,
    LONGEST_NAME,
    SCALE,
    HeadingKind,
    about,
    head_of,
    heading_side,
    is_heading,
    name_of,
)
from backend.domain.reading.json_scores import json_scores
from backend.domain.reading.lexer import Line, first_name, line_of, marks_of
from backend.domain.reading.line_parts import AT_START, TAIL, parts_of
from backend.domain.reading.line_scores import line_scores
from backend.domain.reading.names import SIDE, medium_of, side_of
from backend.domain.reading.plain import plain
from backend.domain.reading.score_tables import Cell, ScoreTable
from backend.domain.reading.totals import TOTAL, TOTAL_ROOTS, Total, line_totals, total_of
from backend.domain.reading.words import NUMBER, POSSESSIVE, RATING, SCORE, SHORT_SCORE

# More than any judge writes within its token limit; of a longer text the start is read.
_LONGEST_TEXT = 200_000
# More rows than any instruction asks for; a bound for what a broken text can put in the store.
_MOST_DIMENSIONS = 64

_BEHIND_SIDE = re.compile(
    rf"(?:{POSSESSIVE})?[\s:,(\[–—-]{{0,4}}(?:for\s|in\s|on\s)?(?:(?P<average>(?:overall\s)?(?:average|mean)\b)"
    rf"|(?P<name>{KNOWN_NAME})(?!\w))",
    re.IGNORECASE,
)
_KNOWN = re.compile(KNOWN_NAME, re.IGNORECASE)
_KNOWN_SCORE = re.compile(
    rf"(?P<name>{KNOWN_NAME})\s?[=(\[–—-]?\s?(?P<score>(?:{SCORE}|{SHORT_SCORE})[)\]]?)[\s.]*", re.IGNORECASE
)
_SIDE_TOTAL = re.compile(rf"{SIDE}[^0-9;:|]{{0,30}}(?:{TOTAL}|\b(?:final|overall)\s{RATING}\b)", re.IGNORECASE)
_TOTAL = re.compile(rf"{TOTAL}|^\W{{0,3}}(?:in\stotal|overall)\b", re.IGNORECASE)
_AVERAGE = re.compile(r"\b(?:average|averages|averaging|mean)\s", re.IGNORECASE)
_ADDITION = re.compile(rf"{NUMBER}(?:/10)?\s?\+\s?{NUMBER}(?:/10)?(?:\s?\+\s?{NUMBER}(?:/10)?){{0,40}}\s?=\s?{NUMBER}")
_DIGIT = re.compile("[0-9]")
_SUMS = (HeadingKind.TOTAL, HeadingKind.OVERALL)
_AVERAGES = ("average", "averag", "mean")
_SIDE_SUMS = (*TOTAL_ROOTS, "final", "overall")


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """Both sides' scores in one dimension, relative to the shown order; ``None`` where unstated."""

    name: str
    first: float | None
    second: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the reasoning states in numbers.

    Attributes:
        totals: As stated, ``(first, second)``.
        named: The media by which the two sides are named.
        rules: For each dimension and total, the name of the rule that read it and the words.
        from_zero: The scores share ten points between the sides, so that 0 is one
            (UnifiedReward-Flex's ``score_1`` and ``score_2``).
        incomplete: A line gives scores out of ten whose dimension could not be read.
    """

    dimensions: tuple[DimensionScore, ...] = ()
    totals: tuple[float | None, float | None] = (None, None)
    named: frozenset[MediaKind] = frozenset()
    rules: tuple[tuple[str, str, str], ...] = ()
    from_zero: bool = False
    incomplete: bool = False

    @property
    def found(self) -> bool:
        """Any score or total was read."""
        return bool(self.dimensions) or self.totals != (None, None)


def read_scores(text: str) -> Scores:
    """Every dimension with its scores, in the order of the text, and the stated totals."""
    reader = _Reader()
    stated, rest = json_scores(text[:_LONGEST_TEXT])
    for number in stated:
        if number.name is None:
            reader.put_total(number.side, Total(number.value, None))
        else:
            reader.put(number.name, number.side, number.value, "JSON object", number.name)
    reader.from_zero = bool(stated) and all(number.shared for number in stated)
    for line in plain(rest).splitlines():
        if line and not line.isspace():
            reader.read(line)
    return reader.result()


class _Reader:
    """What the lines so far have said, and what they are about."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, list[float | None]]] = {}
        self._rules: dict[str, tuple[str, str, str]] = {}
        self._totals: list[float | None] = [None, None]
        self._about = HeadingKind.DIMENSION
        self._name: str | None = None
        self._side: int | None = None
        self._table = ScoreTable()
        self._named: set[str] = set()
        self.from_zero = False
        self._incomplete = False

    def result(self) -> Scores:
        media = {kind for name in self._named if (kind := medium_of(name)) is not None}
        return Scores(
            dimensions=tuple(DimensionScore(name, *row) for name, row in self._rows.values()),
            totals=(self._totals[0], self._totals[1]),
            named=frozenset(media),
            rules=tuple(self._rules.values()),
            from_zero=self.from_zero,
            incomplete=self._incomplete,
        )

    def put(self, name: str, side: int, value: float, rule: str, words: str) -> None:
        """Keep a score, unless the dimension has one for that side."""
        key = name.casefold()
        if key not in self._rows:
            if len(self._rows) >= _MOST_DIMENSIONS:
                return
            self._rows[key] = (name, [None, None])
            self._rules[key] = (name, rule, words)
        values = self._rows[key][1]
        if values[side] is None:
            values[side] = value

    def put_total(self, side: int, total: Total, *, overall: bool = False) -> None:
        """Keep a stated total, unless there is one for that side."""
        # "Overall: 8/10" after several dimensions is one more rating, and not their sum.
        rating = (overall or total.scale == 10) and total.value <= 10 and len(self._rows) > 1
        if self._totals[side] is None and not rating:
            self._totals[side] = total.value

    def read(self, raw: str) -> None:
        if raw.count("|") >= 2:
            cells = self._table.read(raw.replace("*", ""))
            if cells is not None:
                self._named.update(raw[mark.start : mark.end] for mark in marks_of(raw) if mark.is_label)
                for cell in cells:
                    self._read_cell(cell)
                return
        if "|" not in raw:
            self._table.end()
        text = raw.strip()
        bullet = BULLET.match(text)
        if bullet:
            text = text[bullet.end() :]
        bold = text.startswith("**") and text.rstrip(" :").endswith("**")
        if "*" in text or "__" in text:
            text = text.replace("*", "").replace("__", "").strip()
            if bullet is None and (bullet := BULLET.match(text)):
                text = text[bullet.end() :]
        if bracketed := BRACKETED.match(text):
            text = f"{bracketed[1]}: {text[bracketed.end() :]}"
        if not text:
            return
        line = line_of(text)
        self._named.update(text[mark.start : mark.end] for mark in line.marks if mark.is_label)
        parts = parts_of(line)
        if len(parts) == 1:
            self._read_part(line, decorated=bold or bullet is not None)
            return
        side = self._side
        for part in parts:
            self._read_part(part, decorated=False)
            # Within the line, what starts with a side goes on about it.
            if at := AT_START.match(part.text):
                self._side = side_of(at["side"])
        self._side = side

    def _read_part(self, part: Line, *, decorated: bool) -> None:
        """A line, or the part of one, that names at most one dimension."""
        line, marks = part.text, part.marks
        if len(marks) == 1 and (side := heading_side(line)) is not None:
            self._side = side
            return
        start = AT_START.match(line) if marks and marks[0].form == "label" else None
        known = part.names(KNOWN_NAMES)
        if known and (tail := TAIL.search(line)):
            self._enter(name_of(tail["name"]))
            self._score(part if start else part.part(0, tail.start("name")))
        elif start:
            self._about_side(part, start.end(), side_of(start["side"]), known=known)
        else:
            self._about_dimension(part, decorated=decorated, known=known)

    def _about_side(self, part: Line, end: int, side: int, *, known: bool) -> None:
        """A line that starts with "Image 1"."""
        line = part.text
        behind = _BEHIND_SIDE.match(line, end) if known or part.names(_AVERAGES) else None
        if behind and behind["average"]:
            return
        if behind:
            self._enter(name_of(behind["name"]))
            self._score(_without_scale(part, behind.end()), side)
        elif (
            self._about in _SUMS
            or ("+" in line and _ADDITION.search(line))
            or (part.names(_SIDE_SUMS) and _SIDE_TOTAL.search(line))
        ):
            self._state_totals(part)
        elif self._about is not HeadingKind.NOTHING and not self._score(part, None):
            # A rationale that goes on in the lines below, where its score may stand.
            self._side = side

    def _about_dimension(self, part: Line, *, decorated: bool, known: bool) -> None:
        """A line that starts with a dimension's name, with "Total", or with neither."""
        line = part.text
        label = first_name(part.marks)
        if known and (own := _KNOWN_SCORE.fullmatch(line)):
            self._enter(name_of(own["name"]))
            self._score(part.part(own.start("score"), own.end("score")))
            return
        head = head_of(line)
        if head is not None and (label is None or len(head.name) <= label):
            rest = part.part(head.end) if head.own is None else line_of(head.own + line[head.end :])
            self._enter_heading(head.name, rest)
            return
        bare = SCALE.sub("", line).strip()
        if bare and label is None and is_heading(bare, decorated=decorated):
            self._enter_heading(bare, _NOTHING)
            return
        lead = line[: min(len(line) if label is None else label, LONGEST_NAME * 2)]
        if part.names(_AVERAGES) and _AVERAGE.search(lead):
            return
        if label is not None and known and (found := _KNOWN.search(lead)):
            self._enter(name_of(found[0]))
            self._score(part.part(found.end()))
        elif label is not None and lead.rstrip().endswith("(") and len(lead) <= LONGEST_NAME:
            self._enter_heading(lead.rstrip(" ("), part.part(label))
        elif part.names(_SIDE_SUMS) and (_TOTAL.search(lead) or _SIDE_TOTAL.search(line)):
            self._state_totals(part if label is None else part.part(_before(line, label)))
        elif self._about in _SUMS:
            if line[0].isdigit():
                self._state_totals(part)
        elif not self._score(part) and _is_scored(part):
            self._incomplete = True

    def _enter_heading(self, heading: str, content: Line) -> None:
        name = name_of(heading)
        kind = about(heading)
        if kind is HeadingKind.GENERIC and (self._name is not None or self._about is not HeadingKind.DIMENSION):
            if self._about in _SUMS:
                self._state_totals(content)
            else:
                self._score(content)
        elif kind in _SUMS:
            self._about, self._name = kind, None
            self._state_totals(content)
        elif kind is HeadingKind.NOTHING:
            self._about, self._name = kind, None
        elif name:
            self._enter(name)
            self._score(content)

    def _enter(self, name: str) -> None:
        self._about, self._name = HeadingKind.DIMENSION, name

    def _score(self, content: Line, side: int | None = -1) -> bool:
        """Read scores of the present dimension. Were there any?

        Args:
            side: Whose an unlabelled one is; by default that of the lines above.
        """
        found, rule = line_scores(content, self._side if side == -1 else side)
        if self._name is not None and self._about is HeadingKind.DIMENSION:
            for number, value in found.items():
                self.put(self._name, number, value, rule, content.text)
        elif found and self._about is HeadingKind.DIMENSION:
            self._incomplete = True
        if len(found) == 2:
            self._side = None
        return bool(found)

    def _state_totals(self, content: Line) -> None:
        overall = self._about is HeadingKind.OVERALL
        for side, total in line_totals(content, self._side).items():
            self.put_total(side, total, overall=overall)

    def _read_cell(self, cell: Cell) -> None:
        name, kind = name_of(cell.heading), about(cell.heading)
        if not name or kind is HeadingKind.NOTHING:
            return
        if kind in _SUMS:
            if (total := total_of(cell.text)) is not None:
                self.put_total(cell.side, total, overall=kind is HeadingKind.OVERALL)
        elif cell.number is not None:
            self.put(name, cell.side, cell.number, "table", cell.text)


_NOTHING = line_of("")


def _without_scale(part: Line, start: int) -> Line:
    rest = part.text[start:]
    plain_rest = SCALE.sub("", rest) if "(" in rest or "[" in rest else rest
    return part.part(start) if plain_rest == rest else line_of(plain_rest)


def _is_scored(part: Line) -> bool:
    return any(mark.form == "strong" for mark in part.marks)


def _before(line: str, label: int) -> int:
    """Where the totals start: at the first name, or at a number in front of it."""
    number = _DIGIT.search(line, 0, label)
    return number.start() if number else label
