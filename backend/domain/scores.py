"""The scores and totals in a judge's reasoning, in the many ways in which models write them.

The text is read line by line. A line names a dimension, or a side, or both, or stands below a line
that did; what it says is kept for the lines that follow it. A line that names several is first cut
into one for each. A number is a score only where its form (``8/10``, ``(8)``) or its place
(``Image 1: 8``) says so, since rationales are full of numbers.

All quantifiers are bounded and every line is walked once: the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.domain.headings import (
    BULLET,
    KNOWN_NAME,
    LONGEST_NAME,
    SCALE,
    About,
    about,
    cell_side,
    head_of,
    heading_side,
    is_heading,
    name_of,
)
from backend.domain.json_scores import json_scores
from backend.domain.line_scores import line_scores
from backend.domain.plain import plain
from backend.domain.sides import SIDE, side_of
from backend.domain.tokens import NUMBER, marks_of
from backend.domain.totals import TOTAL, Total, line_totals, total_of

# More than any judge writes within its token limit; of a longer text the start is read.
_LONGEST_TEXT = 200_000
# More rows than any instruction asks for; a bound for what a broken text can put in the store.
_MOST_DIMENSIONS = 64

_SCORE = rf"[(\[]?{NUMBER}\s?(?:/|out\sof)\s?10(?![0-9])"
_NAMES = (
    rf"(?:{KNOWN_NAME}(?:\sscores?)?|{TOTAL}(?:\s(?:scores?|points?|ratings?))?"
    r"|(?:overall\s)?average(?:\sscores?)?)"
)
# A name in the middle of a line that heads what follows it: "…, Aesthetics: 7/10".
_INNER_HEAD = re.compile(
    rf"[.;,|:)\]–—-]\s{{0,3}}(?P<head>(?:{SIDE}(?:['’]s|\s?[:–—-])?\s{{0,2}})?(?<![\w-]){_NAMES})"
    rf"(?:\s?\([^()]{{0,12}}\))?(?:\s?[:=]|\s[–—-]\s|\s{{0,2}}(?={_SCORE}))",
    re.IGNORECASE,
)
# A list of nothing but names and scores: "Detail: 8/10, Colour: 7/10".
_ITEM = re.compile(
    rf"\s*(?:and\s)?(?:{SIDE}(?:['’]s|\s?[:–—-])?\s?)?[^\W\d][^:;,|()0-9]{{1,39}}[:=(\s]\s?{_SCORE}[)\]]?[\s.]*",
    re.IGNORECASE,
)
# A name behind its score: "8/10 for aesthetics".
_TAIL = re.compile(
    rf"{_SCORE}[)\]]?\s(?:for|in|on|in\sterms\sof|regarding)\s(?:the\s|its\s)?(?P<name>{KNOWN_NAME})(?!\w)",
    re.IGNORECASE,
)
_AT_START = re.compile(
    rf"(?:(?:score|rating|for|in|the|of)\W{{1,3}}){{0,3}}\W{{0,6}}(?P<side>{SIDE})", re.I
)
_BEHIND_SIDE = re.compile(
    rf"(?:['’]s)?[\s:,(\[–—-]{{0,4}}(?:for\s|in\s|on\s)?(?:(?P<average>(?:overall\s)?(?:average|mean)\b)"
    rf"|(?P<name>{KNOWN_NAME})(?!\w))",
    re.IGNORECASE,
)
_KNOWN = re.compile(KNOWN_NAME, re.IGNORECASE)
_SIDE_TOTAL = re.compile(
    rf"{SIDE}[^0-9;:|]{{0,30}}(?:{TOTAL}|\b(?:final|overall)\s(?:scores?|ratings?)\b)",
    re.IGNORECASE,
)
_TOTAL = re.compile(rf"{TOTAL}|^\W{{0,3}}(?:in\stotal|overall)\b", re.IGNORECASE)
_AVERAGE = re.compile(r"\b(?:average|averages|averaging|mean)\s", re.IGNORECASE)
_ADDITION = re.compile(
    rf"{NUMBER}(?:/10)?\s?\+\s?{NUMBER}(?:/10)?(?:\s?\+\s?{NUMBER}(?:/10)?){{0,40}}\s?=\s?{NUMBER}"
)
_SUMS = (About.TOTAL, About.OVERALL)
_BETWEEN = " ,;|:–—"
_RULE = re.compile(r"[\s:|-]*")


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """Both sides' scores in one dimension, relative to the shown order; ``None`` where unstated."""

    name: str
    first: float | None
    second: float | None


def read_scores(
    text: str,
) -> tuple[tuple[DimensionScore, ...], tuple[float | None, float | None]]:
    """Every dimension with its scores, in the order of the text, and the stated totals."""
    reader = _Reader()
    stated, rest = json_scores(text[:_LONGEST_TEXT])
    for number in stated:
        if number.name is None:
            reader.put_total(number.side, Total(number.value, None))
        else:
            reader.put(number.name, number.side, number.value)
    for line in plain(rest).splitlines():
        if line and not line.isspace():
            reader.read(line)
    return reader.result()


class _Reader:
    """What the lines so far have said, and what they are about."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, list[float | None]]] = {}
        self._totals: list[float | None] = [None, None]
        self._about = About.DIMENSION
        self._name: str | None = None
        self._side: int | None = None
        self._header: list[str] | None = None

    def result(
        self,
    ) -> tuple[tuple[DimensionScore, ...], tuple[float | None, float | None]]:
        rows = tuple(DimensionScore(name, *values) for name, values in self._rows.values())
        return rows, (self._totals[0], self._totals[1])

    def put(self, name: str, side: int, value: float) -> None:
        """Keep a score, unless the dimension has one for that side."""
        key = name.casefold()
        if key not in self._rows:
            if len(self._rows) >= _MOST_DIMENSIONS:
                return
            self._rows[key] = (name, [None, None])
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
        if raw.count("|") >= 2 and self._table(raw.replace("*", "")):
            return
        if "|" not in raw:
            self._header = None
        line = raw.strip()
        bullet = BULLET.match(line)
        if bullet:
            line = line[bullet.end() :]
        bold = line.startswith("**") and line.rstrip(" :").endswith("**")
        line = line.replace("*", "").replace("__", "").strip()
        if not line:
            return
        parts = _parts(line)
        if len(parts) == 1:
            self._read_part(line, decorated=bold or bullet is not None)
            return
        side = self._side
        for part in parts:
            self._read_part(part, decorated=False)
            # Within the line, what starts with a side goes on about it.
            if at := _AT_START.match(part):
                self._side = side_of(at["side"])
        self._side = side

    def _read_part(self, line: str, *, decorated: bool) -> None:
        """A line, or the part of one, that names at most one dimension."""
        if (side := heading_side(line)) is not None:
            self._side = side
            return
        start = _AT_START.match(line)
        if tail := _TAIL.search(line):
            self._enter(name_of(tail["name"]))
            self._score(line if start else line[: tail.start("name")])
        elif start:
            self._about_side(line, start.end(), side_of(start["side"]))
        else:
            self._about_dimension(line, decorated=decorated)

    def _about_side(self, line: str, end: int, side: int) -> None:
        """A line that starts with "Image 1"."""
        behind = _BEHIND_SIDE.match(line, end)
        if behind and behind["average"]:
            return
        if behind:
            self._enter(name_of(behind["name"]))
            self._score(SCALE.sub("", line[behind.end() :]), side)
        elif self._about in _SUMS or _ADDITION.search(line) or _SIDE_TOTAL.search(line):
            self._state_totals(line)
        elif self._about is not About.NOTHING and not self._score(line, None):
            # A rationale that goes on in the lines below, where its score may stand.
            self._side = side

    def _about_dimension(self, line: str, *, decorated: bool) -> None:
        """A line that starts with a dimension's name, with "Total", or with neither."""
        label = next((mark.start for mark in marks_of(line) if not mark.is_number), None)
        head = head_of(line)
        if head is not None and (label is None or len(head[0]) <= label):
            self._enter_heading(*head)
            return
        bare = SCALE.sub("", line).strip()
        if bare and label is None and is_heading(bare, decorated=decorated):
            self._enter_heading(bare, "")
            return
        lead = line[: min(len(line) if label is None else label, LONGEST_NAME * 2)]
        if _AVERAGE.search(lead):
            return
        if label is not None and (known := _KNOWN.search(lead)):
            self._enter(name_of(known[0]))
            self._score(line[known.end() :])
        elif label is not None and lead.rstrip().endswith("(") and len(lead) <= LONGEST_NAME:
            self._enter_heading(lead.rstrip(" ("), line[label:])
        elif _TOTAL.search(lead) or _SIDE_TOTAL.search(line):
            self._state_totals(line if label is None else line[_before(line, label) :])
        elif self._about in _SUMS:
            if line[0].isdigit():
                self._state_totals(line)
        else:
            self._score(line)

    def _enter_heading(self, heading: str, content: str) -> None:
        name = name_of(heading)
        kind = about(heading)
        if kind is About.GENERIC and (self._name is not None or self._about is not About.DIMENSION):
            if self._about in _SUMS:
                self._state_totals(content)
            else:
                self._score(content)
        elif kind in _SUMS:
            self._about, self._name = kind, None
            self._state_totals(content)
        elif kind is About.NOTHING:
            self._about, self._name = kind, None
        elif name:
            self._enter(name)
            self._score(content)

    def _enter(self, name: str) -> None:
        self._about, self._name = About.DIMENSION, name

    def _score(self, content: str, side: int | None = -1) -> bool:
        """Read scores of the present dimension. Were there any?

        Args:
            side: Whose an unlabelled one is; by default that of the lines above.
        """
        found = line_scores(content, self._side if side == -1 else side)
        if self._name is not None and self._about is About.DIMENSION:
            for number, value in found.items():
                self.put(self._name, number, value)
        if len(found) == 2:
            self._side = None
        return bool(found)

    def _state_totals(self, content: str) -> None:
        overall = self._about is About.OVERALL
        for side, total in line_totals(content, self._side).items():
            self.put_total(side, total, overall=overall)

    def _table(self, line: str) -> bool:
        """Read a row of a Markdown table; ``False`` when it is none."""
        if _RULE.fullmatch(line):
            return True
        cells = [cell.strip(" _") for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2 or len(cells) > _MOST_DIMENSIONS:
            return False
        numbers = [_number_of_cell(cell) for cell in cells[1:]]
        if self._header is None or (
            not any(number is not None for number in numbers)
            and all(cell_side(cell) is not None for cell in cells[1:3])
        ):
            if any(number is not None for number in numbers) or any(
                line_scores(cell, None) for cell in cells
            ):
                return False
            self._header = cells
            return True
        row_side = cell_side(cells[0])
        for column, cell in enumerate(cells[1:], start=1):
            title = self._header[column] if column < len(self._header) else ""
            side = cell_side(title) if row_side is None else row_side
            heading = BULLET.sub("", cells[0] if row_side is None else title, count=1)
            name = name_of(heading)
            if side is None or not name:
                continue
            kind = about(heading)
            if kind in _SUMS:
                if (total := total_of(cell)) is not None:
                    self.put_total(side, total, overall=kind is About.OVERALL)
            elif kind is not About.NOTHING and (number := numbers[column - 1]) is not None:
                self.put(name, side, number)
        return True


def _parts(line: str) -> list[str]:
    """``line`` cut where it comes to a new dimension, or to the total."""
    return list(_cut(line, _cuts(line)))


def _cuts(line: str) -> Iterator[int]:
    """Where in ``line`` a new part starts."""
    items = re.split(r"[,;|]", line) if line.count("10") > 1 else []
    if len(items) > 1 and all(map(_ITEM.fullmatch, items)):
        place = 0
        for item in items:
            yield place
            if side := _AT_START.match(item):
                yield place + side.end()
            place += len(item) + 1
        return
    tails = list(_TAIL.finditer(line))
    if len({name_of(tail["name"]).casefold() for tail in tails}) > 1:
        yield from (tail.end() for tail in tails[:-1])
        return
    for head in _INNER_HEAD.finditer(line):
        yield head.start("head")


def _cut(line: str, places: Iterator[int]) -> Iterator[str]:
    start = 0
    for place in places:
        if part := line[start:place].strip(_BETWEEN):
            yield part
            start = place
    yield line[start:].strip(_BETWEEN) if start else line


def _before(line: str, label: int) -> int:
    """Where the totals start: at the first name, or at a number in front of it."""
    number = re.search(r"[0-9]", line[:label])
    return number.start() if number else label


def _number_of_cell(cell: str) -> float | None:
    """The score in a table's cell: "8", "8/10", "8/10 – crisp" or "crisp (8)"."""
    if cell_side(cell) is not None:
        return None
    marks = [mark for mark in marks_of(cell) if mark.is_number]
    strong = [mark for mark in marks if mark.form == "strong"]
    if strong:
        return strong[0].value if len(strong) == 1 or not _alnum(cell[: strong[0].start]) else None
    for mark in marks:
        if mark.form != "bare" or not _alnum(cell[: mark.start]):
            return mark.value
    return None


def _alnum(text: str) -> bool:
    return any(map(str.isalnum, text))
