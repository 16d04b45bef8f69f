"""The end of a run's log."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backend.store.runs import RunRow
from dashboard.log_tail import TAIL_LINES, log_tail
from dashboard.text import md


def draw_log(run: RunRow) -> None:
    """Draw the end of the log, its newest line last."""
    if run.log_path is None:
        st.caption("This run was imported: it had no process and has no log.")
        return
    path = Path(run.log_path)
    text, cut = log_tail(path)
    if not text and run.started_at is not None and not path.exists():
        st.caption(f"The log is not there any more: {md(path)}")
        return
    if not text:
        st.caption("The log is empty so far.")
        return
    if cut:
        st.caption(f"The last {TAIL_LINES} lines at most; the whole log is {run.log_path}")
    st.code(text, language=None, wrap_lines=True, height=420)
