"""The end of a run's log, as text and nothing else."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backend.store.runs import RunRow
from dashboard.text import md, visible

TAIL_BYTES = 64 * 1024
TAIL_LINES = 200
_LONGEST_LINE = 2_000


def log_tail(path: Path, *, size: int = TAIL_BYTES, lines: int = TAIL_LINES) -> tuple[str, bool]:
    """The last lines of a file, and whether something stands before them.

    A progress bar that draws over itself leaves its last state only. Bytes that are no UTF-8, control
    and direction marks and terminal codes become visible characters or go.
    """
    try:
        with path.open("rb") as file:
            whole = file.seek(0, 2)
            file.seek(max(0, whole - size))
            data = file.read(size)
    except OSError:
        return "", False
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    found = text.split("\n")
    if whole > size:
        found = found[1:]  # the first is most likely cut
    cut = whole > size or len(found) > lines
    shown = [visible(line.rstrip("\r").rsplit("\r", 1)[-1])[:_LONGEST_LINE] for line in found[-lines:]]
    return "\n".join(shown).strip("\n"), cut


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
