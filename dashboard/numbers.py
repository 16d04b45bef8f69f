"""Numbers in words, the same on every page."""

from __future__ import annotations

import time

from backend.inference.analysis import Share


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash where there is nothing to count."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def with_interval(share: Share) -> str:
    """A share and its 95 % interval."""
    if not share.n:
        return "–"
    low, high = share.interval
    return f"{percent(share.value)} ({100 * low:.0f}–{100 * high:.0f})"


def many(count: int, one: str, more: str | None = None) -> str:
    """``1 pair``, ``1,200 pairs``."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def lasting(seconds: float | None) -> str:
    """A length of time, to the precision that a person wants."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3_600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def ago(moment: float | None) -> str:
    """How long since a moment."""
    return "–" if moment is None else f"{lasting(max(0.0, time.time() - moment))} ago"


def compact(count: float) -> str:
    """A count in few characters: ``980``, ``12.4 k``, ``1.2 M``."""
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if count >= limit:
            return f"{count / (1e6 if unit == 'M' else 1e3):.3g} {unit}"
    return f"{count:,.0f}"
