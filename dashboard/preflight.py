"""The lines of a preflight, beside the form that they are about."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from backend.domain.preflight import Check, Level
from dashboard.hints import marked
from dashboard.text import md

_MARKS = {Level.OK: "✓", Level.WARN: "▲", Level.FAIL: "✕"}


def draw_checks(checks: Iterable[Check]) -> list[str]:
    """Draw what was looked at; the names of what stands in the way."""
    failed = []
    for check in checks:
        hint = ""
        if check.hint and check.level is not Level.OK:
            hint = f"  \n:small[{marked(check.hint)}]"
        st.markdown(f"{_MARKS[check.level]} **{md(check.name)}** {md(check.message)}{hint}")
        if check.level is Level.FAIL:
            failed.append(check.name)
    return failed
