"""The checkpoints of a training: where each lies, and whether it can judge."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backend.domain.operations import Operation
from backend.training.base import Checkpoint
from backend.training.view import View
from dashboard.roles import i_may
from dashboard.text import md, visible

EVALUATE = "evaluate"
"""Parameter of the URL: the folder, below the output folder, of the checkpoint to be measured."""


def checkpoint_name(checkpoint: Checkpoint) -> str:
    """What people call it."""
    return "final" if checkpoint.final else f"step {checkpoint.step:,}"


def place_of(view: View, path: Path) -> str:
    """A checkpoint's folder as the URL names it."""
    folder = Path(view.row.output_dir)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def chosen_checkpoint(view: View) -> Checkpoint | None:
    """The checkpoint that the URL asks to be measured, if it can be."""
    asked = st.query_params.get(EVALUATE)
    found = [one for one in view.checkpoints if one.judge and place_of(view, one.path) == asked]
    return found[-1] if found else None


def checkpoint_list(view: View) -> None:
    """Every whole checkpoint, newest first, and the button that has it measured."""
    if not view.checkpoints:
        st.caption(_none_yet(view))
        return
    for checkpoint in reversed(view.checkpoints):
        with st.container(border=True):
            _one(view, checkpoint)


def _none_yet(view: View) -> str:
    if view.row.finished_at and not Path(view.row.output_dir).exists():
        return f"Its folder is gone: {md(view.row.output_dir)}"
    return f"None yet; one is written every {view.spec.save_steps:,} steps, and at the end."


def _one(view: View, checkpoint: Checkpoint) -> None:
    line = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    note = "a judge loads from it" if checkpoint.judge else "shards to resume from; no judge yet"
    line.markdown(f"**{checkpoint_name(checkpoint)}** · {note}", width="content")
    if checkpoint.judge and i_may(Operation.EVALUATE):
        place = place_of(view, checkpoint.path)
        if line.button("Evaluate", key=f"measure_{view.row.id}_{place}"):
            st.query_params[EVALUATE] = place
            st.rerun()
    st.code(visible(str(checkpoint.path)), language=None, wrap_lines=True)
