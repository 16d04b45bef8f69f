"""What a checkpoint is worth: start runs that measure it, and what they came to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from backend.domain.jobs import OPEN
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.engines.registry import ENGINES
from backend.inference.launch import RunRequest
from backend.inference.progress import run_counts
from backend.store.runs import RunRow
from backend.training.base import Checkpoint
from backend.training.launch import View, asked_with
from backend.workspace import Workspace
from dashboard.navigation import page_link
from dashboard.numbers import with_interval
from dashboard.page import errors_shown
from dashboard.roles import is_operator
from dashboard.text import clean, md

_USUAL = "as usual"


def checkpoint_name(checkpoint: Checkpoint) -> str:
    """What people call it."""
    return "final" if checkpoint.final else f"step {checkpoint.step:,}"


def checkpoint_list(space: Workspace, view: View) -> None:
    """Every whole checkpoint, newest first, and the button that has it judge."""
    if not view.checkpoints:
        st.caption(f"None yet; one is written every {view.spec.save_steps:,} steps and at the end.")
        return
    for checkpoint in reversed(view.checkpoints):
        with st.container(border=True):
            left, right = st.columns([5, 1], vertical_alignment="center")
            left.markdown(f"**{md(checkpoint_name(checkpoint))}**")
            left.code(str(checkpoint.path), language=None, wrap_lines=True)
            if not checkpoint.judge:
                left.caption("Shards to resume from: no judge can be loaded from them.")
            elif is_operator():
                key = f"evaluate_{view.row.id}_{checkpoint.step}_{checkpoint.final}"
                if right.button("Evaluate", key=key, width="stretch"):
                    _evaluate(space, view, checkpoint)


@st.dialog("Evaluate a checkpoint")
def _evaluate(space: Workspace, view: View, checkpoint: Checkpoint) -> None:
    datasets = [row.name for row in space.datasets.list() if row.status == "ready"]
    trained_on = trained_datasets(space, view)
    held_out = [name for name in datasets if name not in trained_on]
    if not datasets:
        st.write("There is no dataset to judge.")
        return
    dataset = st.selectbox(
        "Dataset", [*held_out, *(name for name in datasets if name in trained_on)],
        format_func=lambda name: clean(name, 80) + (" · trained on" if name in trained_on else ""),
        key="evaluate_dataset",
    )  # fmt: skip
    if dataset in trained_on:
        st.caption("The judge was trained on judgments of this dataset; a held-out one tells more.")
    left, right = st.columns(2)
    engine = left.selectbox("Engine", ["auto", *ENGINES], key="evaluate_engine")
    order = right.selectbox(
        "Shown order", [_USUAL, *(one.value for one in OrderPolicy)], key="evaluate_order",
        help="both judges each pair in both orders and tells how often the answer flips.",
    )  # fmt: skip
    left, right = st.columns(2, vertical_alignment="bottom")
    limit = left.number_input(
        "Pairs at most", 1, None, None, placeholder="all", key="evaluate_limit"
    )
    tokens = right.number_input("Tokens of an answer at most", 1, None, 2048, key="evaluate_tokens")
    options = EngineOptions(
        video_fps=view.spec.fps, max_new_tokens=int(tokens), device=_device(view), batch_size=8
    )
    before = base_run(space, view, dataset)
    with_before = before is None and st.checkbox(
        "Also judge it with the model before training, to compare",
        value=True,
        key="evaluate_before",
    )
    with errors_shown():
        if st.button("Start", type="primary", key="evaluate_start"):
            policy = None if order == _USUAL else OrderPolicy(order)
            if with_before:
                use_cot, instruction = asked_with(space.database, view.spec)
                space.launcher.start(
                    RunRequest(
                        dataset=dataset, model=view.spec.model, engine=engine, options=options,
                        order=policy, limit=limit, use_cot=use_cot, instruction=instruction,
                    )
                )  # fmt: skip
            space.evaluate(
                view.row.id, dataset, checkpoint=Path(checkpoint.path), engine=engine,
                options=options, order=policy, limit=limit,
            )  # fmt: skip
            space.supervise()
            st.rerun()


def _device(view: View) -> str:
    """Where it trained is where it judges; several GPUs are the engine's own choice."""
    return "cpu" if view.row.devices == "cpu" else "auto"


def trained_datasets(space: Workspace, view: View) -> set[str]:
    """Names of the datasets whose judgments were trained on."""
    mine = {ref.id for ref in view.spec.sets}
    from backend.curation.sets import list_sets

    return {
        str(run["dataset"])
        for row in list_sets(space.database)
        if row.id in mine
        for run in row.lineage.get("runs", [])
    }


def base_run(space: Workspace, view: View, dataset: str) -> RunRow | None:
    """The newest run of the model before training on a dataset."""
    found = [
        run for run in space.runs.list() if run.model == view.spec.model and run.dataset == dataset
    ]
    return found[-1] if found else None


def evaluation_list(space: Workspace, view: View) -> None:
    """What each evaluation came to, beside the model before training."""
    runs = {run.id: run for run in space.runs.list()}
    shown = [(one, runs[one.run_id]) for one in view.evaluations if one.run_id in runs]
    if not shown:
        st.caption("Not measured yet: Evaluate has a checkpoint judge a dataset.")
        return
    for one, run in reversed(shown):
        before = base_run(space, view, one.dataset)
        with st.container(border=True):
            st.markdown(
                f"**{md(Path(one.checkpoint).name, 60)}** on **{md(one.dataset, 60)}**: "
                f"{_result(space, run)}"
            )
            if before is not None:
                st.caption(f"Before training: {_result(space, before)} (run {before.id})")
            with st.container(horizontal=True, gap="small"):
                page_link("runs", f"Run {run.id}", run=str(run.id))
                if before is not None:
                    page_link(
                        "compare", "Compare with before training", a=str(before.id), b=str(run.id)
                    )


def still_measuring(space: Workspace, view: View) -> bool:
    """Whether an evaluation, or the run beside it, is under way."""
    ids = {one.run_id for one in view.evaluations}
    datasets = {one.dataset for one in view.evaluations}
    return any(
        run.status in OPEN
        and (run.id in ids or (run.model == view.spec.model and run.dataset in datasets))
        for run in space.runs.list()
    )


def newest_result(space: Workspace, runs: Sequence[RunRow]) -> str | None:
    """Accuracy of the newest of some evaluations that has one."""
    for run in reversed(runs):
        found = run_counts(space.runs.counts(run.id), run.policy).accuracy
        if found and found.n:
            return with_interval(found)
    return None


def _result(space: Workspace, run: RunRow) -> str:
    counts = run_counts(space.runs.counts(run.id), run.policy)
    if run.status in OPEN:
        return f"{run.status}, {counts.done:,} of {counts.total:,}"
    if counts.accuracy is None or not counts.accuracy.n:
        return md(run.status)
    return f"{with_interval(counts.accuracy)} right of {counts.accuracy.n:,}"
