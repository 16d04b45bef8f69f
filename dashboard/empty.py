"""Empty states: what will be here, and the one step that leads there."""

from __future__ import annotations

import streamlit as st


def empty(title: str, text: str, *, link: tuple[str, str] | None = None) -> None:
    """Draw an empty state.

    Args:
        title: What is not here yet.
        text: One or two sentences (our own words: they may be markdown).
        link: Page script (``pages/datasets.py``) and the words of the link.
    """
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.write(text)
        if link:
            st.page_link(link[0], label=link[1], icon=":material/arrow_forward:")
