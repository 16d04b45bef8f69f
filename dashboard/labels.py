"""Names that others chose, as charts may show them."""

from __future__ import annotations

import streamlit as st

from dashboard.text import clean


def label(text: object, limit: int = 60) -> str:
    """One line for a chart. Plotly reads some tags and ``%{…}`` in its texts; this takes them away."""
    line = clean(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return line.replace("%{", "% {")


def scheme() -> str:
    """``light`` or ``dark``, as the page is drawn."""
    # A person's own base is drawn in every browser, which goes on reporting what it would prefer.
    base = st.get_option("theme.base")
    if base is None:
        base = st.context.theme.type
    return "dark" if base == "dark" else "light"


def ink() -> str:
    """The colour of text on faint colours, in the theme that the browser shows."""
    return "#E8EAEC" if scheme() == "dark" else "#1B1F23"
