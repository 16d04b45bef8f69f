"""Pairs as cards of two thumbnails, with the reason in place of one that is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_component = st.components.v2.component(
    "winnow_pair_gallery",
    html='<div class="gallery" role="list"></div>',
    css=_read("gallery.css"),
    js=_read("gallery.js"),
)


def pair_gallery(cards: list[dict[str, Any]], *, key: str) -> None:
    """Draw pairs. Texts are shown as text.

    Args:
        cards: Each ``{noun, thumbs: [url, url], media: [url, url], caption, preferred, facts}``;
            ``preferred`` is ``first``, ``second`` or ``tie`` of the order of ``thumbs``.
    """
    _component(key=key, data={"cards": cards})
