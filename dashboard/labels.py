"""Names that others chose, as charts may show them."""

from __future__ import annotations

import streamlit as st

from dashboard.text import clean


def label(text: object, limit: int = 60) -> str:
    """One line for a chart. Plotly reads some tags and ``%{…}`` in its texts; this takes them away."""
    line = clean(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return line.replace("%{", "% {")


def ink() -> str:
    """The colour of text on faint colours, in the theme that the browser shows."""
    return "#E8EAEC" if st.context.theme.type == "dark" else "#1B1F23"
