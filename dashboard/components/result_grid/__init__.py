"""The results of Browse: cards of two touching thumbnails, or a dense table, led by the arrow keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dashboard.components.inline import declared

_component = declared("winnow_result_grid", Path(__file__).with_name("grid"))


def result_grid(cards: list[dict[str, Any]], *, table: bool, focus: int | None, key: str) -> int | None:
    """Draw the results; the id of the one that was just opened.

    Args:
        cards: As :func:`dashboard.browse.cards.cards` makes them; their texts are shown as text.
        focus: Id of the card that has the focus, to return to the same place.
    """
    found = _component(key=key, data={"cards": cards, "table": table, "focus": focus}, on_open_change=lambda: None)
    return None if found.open is None else int(found.open)
