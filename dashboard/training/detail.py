"""One training: its card, live curves, checkpoints, log, settings and where its rows come from."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from backend.curation.sets import list_sets
from backend.domain.jobs import OPEN, JobStatus
from backend.store.trainings import TrainingRow
from backend.training.launch import View
from backend.workspace import Workspace
from dashboard.navigation import page_link
from dashboard.numbers import many
from dashboard.page import errors_shown
from dashboard.roles import is_operator
from dashboard.runs.log import TAIL_LINES, log_tail
from dashboard.text import clean, md
from dashboard.training.card import draw_card
from dashboard.training.curves import Curve, curves
from dashboard.training.evaluate import checkpoint_list, evaluation_list, still_measuring
from dashboard.urls import follow, write

TABS = ("curves", "checkpoints", "log", "settings", "lineage")


def training_detail(space: Workspace, row: TrainingRow) -> None:
    """Draw a training. What it shows is in the URL: ``training`` and ``tab``."""
    going = row.status in OPEN
    with st.container(border=True):
        live_card(space, row)
        _actions(space, row, going)
    if row.error:
        st.error(f"{md(row.error)}{f'  {chr(10)}{md(row.hint)}' if row.hint else ''}")
    follow("tab", TABS, "curves")
    tab = st.segmented_control(
        "Show", TABS, required=True, key="tab", on_change=write("tab"),
        label_visibility="collapsed",
    )  # fmt: skip
    with errors_shown():
        match tab:
            case "checkpoints":
                _checkpoints(space, row, going)
            case "log":
                _live(going, 2.0, lambda: _log(row))
            case "settings":
                _settings(space.trainer.view(row.id))
            case "lineage":
                _lineage(space, row)
            case _:
                _live(going, 2.0, lambda: _curves(space, row))


def live_card(space: Workspace, row: TrainingRow) -> None:
    """The card; as long as the training goes, it renews itself, and only it."""
    if row.status not in OPEN:
        draw_card(row)
        return

    @st.fragment(run_every=1.0)
    def live() -> None:
        with errors_shown():
            now = space.trainings.get(row.id)
            draw_card(now)
        if now.status not in OPEN:
            st.rerun()  # it has ended: the rest of the page changes too
        space.supervise()

    live()


def _live(going: bool, every: float, draw: object) -> None:
    """Draw something, and again every so many seconds while the training goes."""

    @st.fragment(run_every=every if going else None)
    def part() -> None:
        with errors_shown():
            draw()  # type: ignore[operator]

    part()


def _actions(space: Workspace, row: TrainingRow, going: bool) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"), errors_shown():
        if is_operator():
            if going and st.button("Stop", key="stop_training"):
                space.trainer.stop(row.id)
                space.supervise()
                st.rerun()
            ended_early = not going and row.status != JobStatus.FINISHED
            about = "goes on from the newest whole checkpoint"
            if ended_early and st.button("Resume", key="resume_training", help=about):
                space.trainer.resume(row.id)
                space.supervise()
                st.rerun()
            if st.button("Train again with changes", key="again_training"):
                st.query_params.from_dict({"new": "1", "from": str(row.id)})
                st.rerun()
            if not going and Path(row.output_dir).exists():
                _clear(space, row)
        if row.status == "queued":
            st.caption("Waits until its device is free.")


def _clear(space: Workspace, row: TrainingRow) -> None:
    with st.popover("Delete its files"):
        st.write("Checkpoints, curves and exported rows are deleted; this entry stays.")
        st.code(row.output_dir, language=None, wrap_lines=True)
        if st.button("Delete them", key="clear_training"):
            space.trainer.clear(row.id)
            st.rerun()


def _curves(space: Workspace, row: TrainingRow) -> None:
    view = space.trainer.view(row.id)
    if not Path(row.output_dir).exists() and row.status not in OPEN:
        st.caption(f"Its files are gone: {md(row.output_dir)} is not there any more.")
        return
    steps = int(row.progress.get("steps") or 0)
    curves([Curve(str(row.id), view.metrics)], key=f"training_{row.id}", steps=steps)


def _checkpoints(space: Workspace, row: TrainingRow, going: bool) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Checkpoints**")
        _live(going, 3.0, lambda: checkpoint_list(space, space.trainer.view(row.id)))
    with right:
        st.markdown("**How well they judge**")
        view = space.trainer.view(row.id)
        measuring = still_measuring(space, view)

        def results() -> None:
            now = space.trainer.view(row.id)
            evaluation_list(space, now)
            if measuring and not still_measuring(space, now):
                st.rerun()

        _live(measuring, 2.0, results)


def _log(row: TrainingRow) -> None:
    text, cut = log_tail(Path(row.log_path))
    if not text:
        st.caption("The log is empty so far.")
        return
    if cut:
        st.caption(f"The last {TAIL_LINES} lines at most; the whole log is {md(row.log_path)}")
    st.code(text, language=None, wrap_lines=True, height=420)


def _settings(view: View) -> None:
    left, right = st.columns(2, gap="medium")
    plain = view.spec.model_dump(mode="json", exclude={"sets", "command", "task_instruction"})
    lora = plain.pop("lora")
    plain |= {f"lora_{name}": value for name, value in (lora or {}).items()}
    rows = [{"option": name, "value": clean(_word(value), 200)} for name, value in plain.items()]
    half = -(-len(rows) // 2)
    for column, part in ((left, rows[:half]), (right, rows[half:])):
        column.dataframe(part, hide_index=True, width="stretch", height="content")
    if view.spec.command:
        st.markdown("**Command**")
        st.code(clean(" ".join(view.spec.command), 4000), language=None, wrap_lines=True)
    if view.spec.task_instruction:
        st.markdown("**Instruction that later runs ask with**")
        st.code(clean(view.spec.task_instruction, 4000), language=None, wrap_lines=True)


def _word(value: object) -> str:
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value)


def _lineage(space: Workspace, row: TrainingRow) -> None:
    """From the checkpoint back to each ruling."""
    known = {one.id: one for one in list_sets(space.database)}
    for ref in row.sets:
        frozen = known.get(int(ref["id"]))
        with st.container(border=True):
            name = f"{ref['name']}@{ref['version']}"
            st.markdown(f"Set **{md(name, 80)}**, content `{str(ref['content_hash'])[:16]}`")
            if frozen is None:
                st.caption("This set is not in the workspace any more.")
                continue
            counts = frozen.counts
            st.caption(
                f"{many(int(counts.get('items', 0)), 'row')}: {counts.get('by_filter', 0):,} by the filter, "
                f"{counts.get('by_accept', 0):,} by an accepting ruling, {counts.get('by_relabel', 0):,} by a relabel"
            )
            page_link("curate", "The set", set=name)
            for run in frozen.lineage.get("runs", []):
                number = str(run["id"])
                st.markdown(
                    f"from run {number} of **{md(str(run['model']).rsplit('/', 1)[-1], 60)}** on "
                    f"**{md(run['dataset'], 60)}**, {many(int(run.get('reviews') or 0), 'ruling')} up to then"
                )
                with st.container(horizontal=True):
                    page_link("runs", "The run", run=number)
                    page_link("browse", "Its rulings", run=number, reviewed="yes")
