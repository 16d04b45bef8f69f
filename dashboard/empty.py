"""Empty states: what will be here, and the one step that leads there."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backend.errors import NotFound
from dashboard.navigation import page_link
from dashboard.page import show


def empty(title: str, text: str, *, link: tuple[str, str] | None = None) -> None:
    """Draw an empty state.

    Args:
        title: What is not here yet.
        text: One or two sentences (our own words: they may be markdown).
        link: Page (``datasets``, or its script) and the words of the link.
    """
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.write(text)
        if link:
            page_link(Path(link[0]).stem, link[1])


def not_there(message: str, hint: str, *, back: str) -> None:
    """What an address names is not here: one line, a hint, and the way to the page without it.

    Args:
        back: The words of that way.
    """
    show(NotFound(message, hint=hint))
    if st.button(back, icon=":material/arrow_back:", key="not_there"):
        st.query_params.clear()
        st.rerun()
