"""One training: its card, live curves, checkpoints, log, settings and where its rows come from."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from backend.domain.jobs import OPEN, JobStatus
from backend.domain.operations import Operation
from backend.store.trainings import TrainingRow
from backend.training.command import places_in
from backend.training.view import View
from backend.workspace import Workspace
from dashboard.empty import empty
from dashboard.hints import marked
from dashboard.log_tail import TAIL_LINES, log_tail
from dashboard.page import errors_shown, fragment, show_problem
from dashboard.roles import i_may
from dashboard.text import MAX_SHOWN, clean, md, visible
from dashboard.training.card import draw_card
from dashboard.training.checkpoints import EVALUATE, checkpoint_list, chosen_checkpoint
from dashboard.training.curves import Curve, curves
from dashboard.training.evaluate import evaluate_form
from dashboard.training.lineage import lineage
from dashboard.training.options import ALL, used_names
from dashboard.training.results import evaluation_list, still_measuring
from dashboard.training.views import view_of
from dashboard.urls import follow, write

TABS = ("curves", "checkpoints", "log", "settings", "lineage")


def training_detail(space: Workspace, row: TrainingRow) -> None:
    """Draw a training. What it shows is in the URL: ``training``, ``tab`` and ``evaluate``."""
    going = row.status in OPEN
    with st.container(border=True):
        live_card(space, row)
        _actions(space, row, going)
    if row.error:
        show_problem(row.error, row.hint)
    elif row.hint and not going:
        st.caption(marked(row.hint))
    follow("tab", TABS, "curves")
    tab = st.segmented_control(
        "Show", TABS, required=True, key="tab", on_change=write("tab", EVALUATE), label_visibility="collapsed"
    )
    with errors_shown():
        match tab:
            case "checkpoints":
                _checkpoints(space, row, going)
            case "log":
                _live(going, 2.0, lambda: _log(row))
            case "settings":
                _settings(view_of(space, row))
            case "lineage":
                lineage(space, row)
            case _:
                _live(going, 2.0, lambda: _curves(space, space.trainings.get(row.id)))


def live_card(space: Workspace, row: TrainingRow) -> None:
    """The card; as long as the training goes, it renews itself, and only it."""
    if row.status not in OPEN:
        draw_card(row)
        return

    @fragment(run_every=1.0)
    def live() -> None:
        with errors_shown():
            now = space.trainings.get(row.id)
            draw_card(now)
        if now.status != row.status:
            st.rerun()  # the rest of the page speaks of it too
        space.supervise()

    live()


def _live(going: bool, every: float, draw: Callable[[], None]) -> None:
    """Draw something, and again every so many seconds while there is news to come."""

    @fragment(run_every=every if going else None)
    def part() -> None:
        with errors_shown():
            draw()

    part()


def _actions(space: Workspace, row: TrainingRow, going: bool) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"), errors_shown():
        _operate(space, row, going)
        if len(space.trainings.list()) > 1 and st.button("Compare its curves", key="compare_with"):
            other = [one.id for one in space.trainings.list() if one.id != row.id][-1]
            st.query_params.from_dict({"compare": f"{other},{row.id}"})
            st.rerun()
        if row.status == "queued":
            st.caption("Waits until its device is free.")


def _operate(space: Workspace, row: TrainingRow, going: bool) -> None:
    if going and i_may(Operation.STOP_TRAINING) and st.button("Stop", key="stop_training"):
        space.training_launcher.stop(row.id)
        space.supervise()
        st.rerun()
    about = "goes on from the newest whole checkpoint, or from the beginning where there is none"
    ended_early = i_may(Operation.RESUME_TRAINING) and not going and row.status != JobStatus.FINISHED
    if ended_early and st.button("Resume", key="resume_training", help=about):
        space.training_launcher.resume(row.id)
        space.supervise()
        st.rerun()
    if i_may(Operation.START_TRAINING) and st.button("Train again with changes", key="again_training"):
        st.query_params.from_dict({"new": "1", "from": str(row.id)})
        st.rerun()
    if i_may(Operation.CLEAR_TRAINING) and not going and Path(row.output_dir).exists():
        with st.popover("Clear"):
            st.write(
                "Deletes this folder with its checkpoints, curves and exported rows. The training "
                "stays in the history, and can begin anew where it had not finished."
            )
            st.code(visible(row.output_dir), language=None, wrap_lines=True)
            if st.button("Delete this folder", key=f"clear_training_{row.id}"):
                space.training_launcher.clear(row.id)
                st.rerun()


def _curves(space: Workspace, row: TrainingRow) -> None:
    if _gone(row):
        return
    view = view_of(space, row)
    if not view.metrics:
        _no_curves(row)
        return
    if view.warning:
        st.warning(md(view.warning[0].upper() + view.warning[1:] + "."))
    steps = int(row.progress.get("steps") or 0)
    curves([Curve(str(row.id), view.metrics)], key=f"training_{row.id}", steps=steps)


def _no_curves(row: TrainingRow) -> None:
    if row.status in OPEN:
        empty(
            "No step yet",
            "The curves begin with the first step. Before it the sets are exported, "
            "every medium is looked at and the model is loaded; the log tells how far that is.",
        )
    else:
        empty("No curves", "It ended before its first step. The log says what happened.")


def _gone(row: TrainingRow) -> bool:
    """Say so when a training that has begun has no folder any more."""
    gone = row.status not in OPEN and not Path(row.output_dir).exists()
    if gone and row.started_at is not None:
        st.caption(f"Its folder is gone, and with it curves and checkpoints: {md(row.output_dir)}")
    elif gone:
        empty("Not begun", "It was stopped before it began.")
    return gone


def _checkpoints(space: Workspace, row: TrainingRow, going: bool) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left, errors_shown():
        st.markdown("**Checkpoints**")
        _live(going, 3.0, lambda: checkpoint_list(view_of(space, space.trainings.get(row.id))))
    with right, errors_shown():
        view = view_of(space, row)
        chosen = chosen_checkpoint(view)
        if chosen is not None and i_may(Operation.EVALUATE):
            evaluate_form(space, view, chosen)
        st.markdown("**How well they judge**")
        measuring = still_measuring(space, view)

        def results() -> None:
            now = view_of(space, space.trainings.get(row.id))
            evaluation_list(space, now)
            if measuring:
                space.supervise()
                if not still_measuring(space, now):
                    st.rerun()

        _live(measuring, 2.0, results)


def _log(row: TrainingRow) -> None:
    text, cut = log_tail(Path(row.log_path))
    if not text:
        there = Path(row.log_path).exists() or row.started_at is None
        st.caption("The log is empty so far." if there else f"The log is gone: {md(row.log_path)}")
        return
    if cut:
        st.caption(f"The last {TAIL_LINES} lines at most; the whole log is {md(row.log_path)}")
    st.code(text, language=None, wrap_lines=True, height=420)


def _settings(view: View) -> None:
    spec = view.spec
    read = used_names(spec.trainer, places_in(spec.command))
    apart = {"sets", "command", "task_instruction", "lora"} | (ALL.keys() - read)
    plain = spec.model_dump(mode="json", exclude=apart)
    sets = ", ".join(f"{ref.name}@{ref.version}" for ref in spec.sets)
    lora = spec.lora.model_dump(mode="json") if spec.lora else {}
    every = {"sets": sets, **plain, **{f"lora_{name}": value for name, value in lora.items()}}
    rows = [{"option": name, "value": clean(_word(value), 200)} for name, value in every.items()]
    half = -(-len(rows) // 2)
    for column, part in zip(st.columns(2, gap="medium"), (rows[:half], rows[half:]), strict=True):
        column.dataframe(part, hide_index=True, width="stretch", height="content")
    if spec.command:
        st.markdown("**Command**")
        st.code(visible(shlex.join(spec.command))[:MAX_SHOWN], language=None, wrap_lines=True)
    if spec.task_instruction:
        st.markdown("**Instruction that later runs ask with**")
        st.code(visible(spec.task_instruction)[:MAX_SHOWN], language=None, wrap_lines=True)


def _word(value: object) -> str:
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value)
