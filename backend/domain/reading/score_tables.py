"""Scores in a Markdown table, whose rows are dimensions and whose columns are sides, or the reverse."""

from __future__ import annotations

import re
from typing import NamedTuple

from backend.domain.reading.headings import BULLET, cell_side
from backend.domain.reading.lexer import line_of, marks_of
from backend.domain.reading.line_scores import line_scores

# More columns than any instruction asks for.
_MOST_CELLS = 64
# What a column is headed by that only numbers the rows.
_COUNTERS = ("#", "no.", "no", "序号")
_RULE = re.compile(r"[\s:|-]*")


class Cell(NamedTuple):
    """One side's cell under or beside a heading; ``number`` is the score in it, if it holds one."""

    heading: str
    side: int
    text: str
    number: float | None


class ScoreTable:
    """The table that the present lines are rows of, if they are."""

    def __init__(self) -> None:
        self._header: list[str] | None = None
        self._numbered = False

    def end(self) -> None:
        """The line read now belongs to no table."""
        self._header = None
        self._numbered = False

    def read(self, line: str) -> list[Cell] | None:
        """The cells of a row, none of its header's; ``None`` when ``line`` is no row of a table."""
        if _RULE.fullmatch(line):
            return []
        cells = [cell.strip(" _") for cell in line.strip().strip("|").split("|")]
        self._numbered = self._numbered or cells[0].casefold() in _COUNTERS
        if self._numbered:
            del cells[0]
        if len(cells) < 2 or len(cells) > _MOST_CELLS:
            return None
        numbers = [_number_of_cell(cell) for cell in cells[1:]]
        has_numbers = any(number is not None for number in numbers)
        names_sides = all(cell_side(cell) is not None for cell in cells[1:3])
        if self._header is None or (not has_numbers and names_sides):
            if has_numbers or any(line_scores(line_of(cell), None)[0] for cell in cells):
                return None
            self._header = cells
            return []
        return self._row(cells, numbers, self._header)

    def _row(self, cells: list[str], numbers: list[float | None], header: list[str]) -> list[Cell]:
        row_side = cell_side(cells[0])
        row = []
        for column, (cell, number) in enumerate(zip(cells[1:], numbers, strict=True), start=1):
            title = header[column] if column < len(header) else ""
            side = cell_side(title) if row_side is None else row_side
            if side is not None:
                heading = BULLET.sub("", cells[0] if row_side is None else title, count=1)
                row.append(Cell(heading, side, cell, number))
        return row


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
