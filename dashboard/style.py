"""The style sheet of all pages."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from dashboard.labels import scheme
from dashboard.theme import ACCENT, QUIET, text_on


@cache
def _sheet() -> str:
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def apply_style() -> None:
    """Add our rules to Streamlit's, and the colours they name in the theme that the browser shows."""
    theme = scheme()
    colours = f"--wn-quiet: {QUIET[theme]}; --wn-on-accent: {text_on(ACCENT[theme])};"
    st.html(f"<style>:root {{ {colours} }}\n{_sheet()}</style>")
