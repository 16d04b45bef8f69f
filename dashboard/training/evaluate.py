"""Measuring a checkpoint: which dataset, how, and the model before training beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from backend.curation.sets import list_sets
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.engines.registry import AUTO, ENGINES
from backend.inference.launch import RunRequest
from backend.store.datasets import DatasetRow
from backend.training.base import Checkpoint
from backend.training.judging import asked_with
from backend.training.view import View
from backend.workspace import Workspace
from dashboard.empty import empty
from dashboard.numbers import many
from dashboard.page import errors_shown, fragment
from dashboard.text import clean, md
from dashboard.training.checkpoints import EVALUATE, checkpoint_name
from dashboard.training.results import Conditions, base_run

_USUAL = "as usual"
_ENGINES = (AUTO, *(kind.name for kind in ENGINES.usable if kind.loads_model))


@dataclass(frozen=True, slots=True)
class _Source:
    """What the judgments behind the sets were made of.

    Attributes:
        datasets: Names of the datasets that were judged.
        options: Of the engine that judged, of the newest run.
    """

    datasets: frozenset[str]
    options: dict[str, Any]


def _source(space: Workspace, view: View) -> _Source:
    ids = {ref.id for ref in view.spec.sets}
    rows = [row for row in list_sets(space.database) if row.id in ids]
    runs = [run for row in rows for run in row.lineage.get("runs", [])]
    newest = max(runs, key=lambda run: int(run["id"]), default=None)
    options = (newest or {}).get("spec", {}).get("options") or {}
    return _Source(frozenset(str(run["dataset"]) for run in runs), dict(options))


@fragment()
def evaluate_form(space: Workspace, view: View, checkpoint: Checkpoint) -> None:
    """Draw the form; starts the run and leaves the results in its place."""
    datasets = [row for row in space.datasets.list() if row.status == "ready"]
    if not datasets:
        empty(
            "No dataset to judge",
            "A checkpoint is measured on a dataset, a held-out one at best.",
            link=("datasets", "Add a dataset"),
        )
        return
    source = _source(space, view)
    with st.container(border=True), errors_shown():
        st.markdown(f"**Evaluate {md(checkpoint_name(checkpoint))}**")
        dataset = _dataset(datasets, source)
        left, right = st.columns(2)
        engine = left.selectbox(
            "Engine", _ENGINES, key="evaluate_engine", help="auto takes the best one that is installed, and says why."
        )
        order = right.selectbox(
            "Shown order",
            [_USUAL, *(one.value for one in OrderPolicy)],
            key="evaluate_order",
            help="both judges each pair in both orders, and so tells how often the answer flips.",
        )
        limit = st.number_input("Pairs at most", 1, None, None, placeholder="all", key="evaluate_limit")
        options = _options(view, source)
        policy = None if order == _USUAL else OrderPolicy(order)
        before = base_run(space, view, Conditions(dataset.name, policy, limit, dataset.source))
        if before is None:
            beside = st.checkbox("Judge it with the model before training too", value=True, key="evaluate_before")
        else:
            beside = False
            st.caption(f"Run {before.id} of the model before training stands beside it.")
        start, away = st.columns([1, 1])
        if away.button("Not now", key="evaluate_away", width="stretch"):
            st.query_params.pop(EVALUATE, None)
            st.rerun()
        if start.button("Start", type="primary", key="evaluate_start", width="stretch"):
            space.evaluate(
                view.row.id,
                dataset.name,
                checkpoint=checkpoint.path,
                engine=engine,
                options=options,
                order=policy,
                limit=limit,
            )
            if beside:
                use_cot, instruction = asked_with(space.database, view.spec)
                space.launcher.start(
                    RunRequest(
                        dataset=dataset.name,
                        model=view.spec.model,
                        engine=engine,
                        options=options,
                        order=policy,
                        limit=limit,
                        use_cot=use_cot,
                        instruction=instruction,
                    )
                )
            space.supervise()
            st.query_params.pop(EVALUATE, None)
            st.rerun()


def _dataset(datasets: list[DatasetRow], source: _Source) -> DatasetRow:
    by_name = {row.name: row for row in datasets}
    held_out = [name for name in reversed(by_name) if name not in source.datasets]
    names = [*held_out, *(name for name in reversed(by_name) if name in source.datasets)]
    # What a visit to another training's form chose may not be here.
    if st.session_state.get("evaluate_dataset") not in names:
        st.session_state["evaluate_dataset"] = names[0]
    chosen = st.selectbox(
        "Dataset",
        names,
        key="evaluate_dataset",
        format_func=lambda name: (
            f"{clean(name, 60)} · {many(by_name[name].judgeable, 'pair')}"
            + (" · trained on" if name in source.datasets else " · held out")
        ),
    )
    if chosen in source.datasets:
        st.caption("It was trained on judgments of this dataset; a held-out one tells more.")
    return by_name[chosen]


def _options(view: View, source: _Source) -> EngineOptions:
    """The engine's options: asked as the judgments were made that it was trained on."""
    usual = EngineOptions()
    tokens = int(source.options.get("max_new_tokens") or usual.max_new_tokens)
    pixels = view.spec.max_pixels
    with st.expander("More"):
        left, right = st.columns(2)
        tokens = left.number_input("max_new_tokens", 1, None, tokens, key="evaluate_tokens")
        pixels = right.number_input("max_pixels", 784, None, pixels, key="evaluate_pixels")
        st.caption("Defaults are those of the judgments that it was trained on.")
    return EngineOptions(
        video_fps=view.spec.fps,
        max_new_tokens=int(tokens),
        max_pixels=int(pixels),
        # Where it was trained it judges; of several GPUs the engine takes what it needs.
        device="cpu" if view.row.devices == "cpu" else "auto",
    )
