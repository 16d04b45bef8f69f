"""Where a name stands in a chart of intervals, so that none of them passes through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

Span = tuple[float, float]
"""Lower and upper end of an interval, in percent."""

Anchor = Literal["left", "center", "right"]

HIGHEST = 124.0
"""Where the axis ends: above 100 there is room for two rows of names."""

# The chart where it is narrowest, three beside each other in a window of 1024 pixels: wider ones have more
# room for the same words.
_WIDTH_PX = 165.0
_HEIGHT_PX = 205.0
_LETTER_PX = 7.5
_LINE_PX = 17.0
_GAP_PX = 4.0
_EDGE = 0.6  # columns from the middle of the outermost one to the chart's end


def free_places(
    spans: Sequence[Span | None], names: Mapping[int, int]
) -> dict[int, tuple[float, Anchor]]:
    """The lower edge of each name's line, and which part of it is at its column.

    Args:
        spans: The interval of each column, in order; ``None`` where there is none.
        names: Letters of the name that belongs to a column.

    Returns:
        By column: the height in percent, as near above its interval as nothing is crossed (below it,
        where there is no room above), and the anchor.
    """
    column = _WIDTH_PX / max(1, len(spans))
    line, gap = (HIGHEST * px / _HEIGHT_PX for px in (_LINE_PX, _GAP_PX))
    taken: list[tuple[float, float, float, float]] = [
        (at, at, *span) for at, span in enumerate(spans) if span
    ]
    found: dict[int, tuple[float, Anchor]] = {}
    for at, letters in names.items():
        own = spans[at]
        tried = []
        for side, low, high in _reaches(at, letters * _LETTER_PX / column, len(spans)):
            y = _free(
                [(a, b) for first, last, a, b in taken if first <= high and last >= low],
                start=own[1] if own else 0.0, line=line, gap=gap,
            )  # fmt: skip
            tried.append((y, side, low, high))
        y, side, low, high = min(tried, key=lambda one: one[0])
        taken.append((low, high, y, y + line))
        found[at] = (y, side)
    return found


def _reaches(at: int, reach: float, columns: int) -> list[tuple[Anchor, float, float]]:
    """Anchors with which a name stays in the chart, and the columns that it then covers."""
    tries: list[tuple[Anchor, float, float]] = [
        ("center", at - reach / 2, at + reach / 2),
        ("left", at, at + reach),
        ("right", at - reach, at),
    ]
    inside = [one for one in tries if one[1] >= -_EDGE and one[2] <= columns - 1 + _EDGE]
    # None does, where it is longer than the chart is wide: then towards the wider part.
    return inside or [tries[1] if 2 * at + 1 <= columns else tries[2]]


def _free(crossed: Sequence[Span], *, start: float, line: float, gap: float) -> float:
    """The lowest free place for a line above ``start``; where there is none, the highest below it."""
    above = start + gap
    for low, high in sorted(crossed):
        if low - gap < above + line and high + gap > above:
            above = high + gap
    if above + line <= HIGHEST:
        return above
    below = start - gap - line
    for low, high in sorted(crossed, key=lambda span: -span[1]):
        if low - gap < below + line and high + gap > below:
            below = low - gap - line
    return below if below >= 0 else HIGHEST - line
