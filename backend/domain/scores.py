"""The scores and totals in a judge's reasoning, in the many ways in which models write them.

The text is read line by line. A line names a dimension, or a side, or both, or stands below a line
that did; what it says is kept for the lines that follow it. A number is a score only where its form
(``8/10``, ``(8)``) or its place (``Image 1: 8``) says so, since rationales are full of numbers.

All quantifiers are bounded and every line is walked once: the time is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.domain.prompts import DIMENSIONS
from backend.domain.tokens import (
    is_label_only,
    label_side,
    line_scores,
    line_totals,
    marks_of,
    number_of_cell,
    total_of,
)

# More rows than any instruction asks for; a bound for what a broken text can put in the store.
_MOST_DIMENSIONS = 64
_LONGEST_NAME = 80

_FULLWIDTH = str.maketrans("：（）；，／｜＝\u00a0\u202f", ":();,/|=  ", "*`")
_BULLET = re.compile(
    r"(?:[-+•·>]{1,3}\s{1,8}|#{1,6}\s{1,4}|\(?[0-9]{1,2}[.)]\s{1,4}"
    r"|(?:dimension|criterion)\s[0-9]{1,2}\s?[:.-]\s{1,4}){1,4}",
    re.IGNORECASE,
)
_HEAD = re.compile(r"([^\W\d_][^:|]{0,79}?)\s{0,3}(?::|\||\s[-–—]\s)")
_TOTAL = re.compile(
    r"(?:the\s)?(?:(?:overall|final|grand)\s)?(?:totals?|sums?)\b"
    r"|(?:overall|final)(?:\s(?:scores?|ratings?))?$",
    re.IGNORECASE,
)
_GENERIC = frozenset(
    ("score", "scores", "rating", "ratings", "rationale", "analysis", "explanation", "reason")
)
_KNOWN = tuple(dict.fromkeys(name for names in DIMENSIONS.values() for name in names))
_KNOWN_NAME = re.compile("|".join(re.escape(name) for name in _KNOWN), re.IGNORECASE)
_AFTER_LABEL = re.compile(
    rf"(?:'s)?[\s:,(\[–—-]{{0,4}}(?:(?P<total>(?:(?:overall|final|grand)\s)?total)\b"
    rf"|(?P<name>{_KNOWN_NAME.pattern})\b)",
    re.IGNORECASE,
)
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
    for line in text.translate(_FULLWIDTH).splitlines():
        if line and not line.isspace():
            reader.read(line)
    return reader.result()


class _Reader:
    """What the lines so far have said, and what they are about."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, list[float | None]]] = {}
        self._totals: list[float | None] = [None, None]
        self._name: str | None = None
        self._side: int | None = None
        self._in_totals = False
        self._header: list[str] | None = None

    def result(
        self,
    ) -> tuple[tuple[DimensionScore, ...], tuple[float | None, float | None]]:
        rows = tuple(DimensionScore(name, *values) for name, values in self._rows.values())
        return rows, (self._totals[0], self._totals[1])

    def read(self, raw: str) -> None:
        if raw.count("|") >= 2 and self._table(raw):
            return
        if "|" not in raw:
            self._header = None
        line = raw.strip()
        bullet = _BULLET.match(line)
        if bullet:
            line = line[bullet.end() :]
        line = line.replace("__", "")
        if not line:
            return
        marks = marks_of(line)
        label = next((mark for mark in marks if mark.is_label), None)
        if label is not None and label.start < 8 and not any(map(str.isalnum, line[: label.start])):
            self._about_side(line, label.end, label.side)
            return
        self._about_dimension(line, label.start if label else None, decorated=bool(bullet))

    def _about_side(self, line: str, end: int, side: int) -> None:
        """A line that starts with "Image 1"."""
        after = _AFTER_LABEL.match(line, end)
        if after and after["total"]:
            self._state_totals(line)
            return
        if after:
            self._enter(after["name"])
            self._score(self._name, line[after.end() :], side)
            return
        if is_label_only(line):
            self._side = side
            return
        if self._in_totals:
            self._state_totals(line)
            return
        if not self._score(self._name, line, None):
            # A rationale that goes on in the lines below, where its score may stand.
            self._side = side

    def _about_dimension(self, line: str, label: int | None, *, decorated: bool) -> None:
        """A line that starts with a dimension's name, with "Total", or with neither."""
        head = _HEAD.match(line)
        name, content = None, line
        if head and (label is None or head.end(1) <= label):
            name, content = head[1], line[head.end() :]
        elif label is not None:
            before = line[: min(label, 200)]
            known = _KNOWN_NAME.search(before)
            if before.rstrip().endswith("(") and label <= _LONGEST_NAME:
                name, content = before.rstrip(" ("), line[label:]
            elif known:
                name, content = known[0], line[known.end() :]
            elif _TOTAL.match(before):
                name, content = "total", line[label:]
        elif _is_heading(line, decorated=decorated):
            name, content = line, ""
        if name is None:
            if self._in_totals:
                if line[0].isdigit():
                    self._state_totals(line)
                return
            self._score(self._name, line, self._side)
            return
        name = " ".join(name.split()).strip(" .,-–—_")
        if _TOTAL.match(name):
            self._in_totals = True
            self._name = None
            self._state_totals(content)
        elif name.casefold() in _GENERIC and self._name is not None:
            self._score(self._name, content, self._side)
        elif name:
            self._enter(name)
            self._score(name, content, self._side)

    def _enter(self, name: str) -> None:
        self._name = name
        self._in_totals = False

    def _score(self, name: str | None, content: str, side: int | None) -> bool:
        """Read scores of dimension ``name``; unlabelled ones are ``side``'s. Were there any?"""
        found = line_scores(content, side)
        if name is not None:
            for number, value in found.items():
                self._put(name, number, value)
        if len(found) == 2:
            self._side = None
        return bool(found)

    def _put(self, name: str, side: int, value: float) -> None:
        key = name.casefold()
        if key not in self._rows:
            if len(self._rows) >= _MOST_DIMENSIONS:
                return
            self._rows[key] = (name, [None, None])
        values = self._rows[key][1]
        if values[side] is None:
            values[side] = value

    def _state_totals(self, content: str) -> None:
        for side, total in line_totals(content, self._side).items():
            # "Overall: 8/10" after several dimensions is one more rating, and not their sum.
            rating = total.scale == 10 and total.value <= 10 and len(self._rows) > 1
            if self._totals[side] is None and not rating:
                self._totals[side] = total.value

    def _table(self, line: str) -> bool:
        """Read a row of a Markdown table; ``False`` when it is none."""
        if _RULE.fullmatch(line):
            return True
        cells = [cell.strip(" _") for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2 or len(cells) > _MOST_DIMENSIONS:
            return False
        numbers = [number_of_cell(cell) for cell in cells[1:]]
        if self._header is None or (
            not any(number is not None for number in numbers)
            and all(is_label_only(cell) for cell in cells[1:3])
        ):
            if any(number is not None for number in numbers):
                return False
            self._header = cells
            return True
        row_side = label_side(cells[0])
        for column, cell in enumerate(cells[1:], start=1):
            title = self._header[column] if column < len(self._header) else ""
            side = label_side(title) if row_side is None else row_side
            name = _BULLET.sub("", cells[0] if row_side is None else title, count=1)
            if side is None or not name:
                continue
            if _TOTAL.match(name):
                total = total_of(cell)
                if total is not None and self._totals[side] is None:
                    self._totals[side] = total.value
            elif (number := numbers[column - 1]) is not None:
                self._put(name[:_LONGEST_NAME], side, number)
        return True


def _is_heading(line: str, *, decorated: bool) -> bool:
    """A short line without a number: "### Aesthetics", "1. Aesthetics" or a known name alone."""
    if len(line) > _LONGEST_NAME or any(map(str.isdigit, line)) or line[-1] in ".!?;,":
        return False
    return bool(_KNOWN_NAME.fullmatch(line)) or (decorated and len(line.split()) <= 4)
