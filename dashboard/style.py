"""The style sheet of all pages."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st


@cache
def _sheet() -> str:
    return (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def apply_style() -> None:
    """Add our rules to Streamlit's."""
    st.html(f"<style>{_sheet()}</style>")
