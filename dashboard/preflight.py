"""The lines of a preflight, beside the form that they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import streamlit as st

from backend.domain.preflight import Check, Level
from dashboard.text import md

_MARKS = {Level.OK: "✓", Level.WARN: "▲", Level.FAIL: "✕"}


def draw_checks(checks: Iterable[Check], hint_words: Callable[[str], str] = str) -> list[str]:
    """Draw what was looked at, hints in ``hint_words``; the names of what stands in the way."""
    failed = []
    for check in checks:
        hint = ""
        if check.hint and check.level is not Level.OK:
            hint = f"  \n:small[{md(hint_words(check.hint))}]"
        st.markdown(f"{_MARKS[check.level]} **{md(check.name)}** {md(check.message)}{hint}")
        if check.level is Level.FAIL:
            failed.append(check.name)
    return failed
