"""Pairs as cards of two thumbnails, with the reason in place of one that is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dashboard.components.inline import declared

_component = declared("winnow_pair_gallery", Path(__file__).with_name("gallery"))


def pair_gallery(cards: list[dict[str, Any]], *, key: str) -> None:
    """Draw pairs. Texts are shown as text.

    Args:
        cards: Each ``{noun, thumbs: [url, url], media: [url, url], caption, preferred, facts}``;
            ``preferred`` is ``first``, ``second`` or ``tie`` of the order of ``thumbs``.
    """
    _component(key=key, data={"cards": cards})
