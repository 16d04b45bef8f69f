"""Compare: two runs over the same pairs."""

from __future__ import annotations

import streamlit as st

from backend.inference.compare import Comparison, compare
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.background import ready
from dashboard.compare.charts import accuracies, consistency, flips, outcomes
from dashboard.compare.flipped import flipped_pairs
from dashboard.empty import empty, not_there
from dashboard.identity import space
from dashboard.navigation import page_link
from dashboard.page import page
from dashboard.runs.card import run_name
from dashboard.runs.detail import analysis_of
from dashboard.urls import follow, number_in_url, write


def in_the_way(runs: list[RunRow]) -> str | None:
    """Why the runs that the address names cannot be compared; ``None`` where they can."""
    by_id = {str(run.id): run for run in runs}
    asked = [st.query_params[name] for name in ("a", "b") if st.query_params.get(name)]
    for name in asked:
        if name not in by_id:
            return f"there is no run {name}"
        if not any(by_id[name].dataset_id == run.dataset_id for run in runs if str(run.id) != name):
            return f"run {name} is the only one over its dataset"
    if len({by_id[name].dataset_id for name in asked}) > 1:
        return f"runs {asked[0]} and {asked[1]} have judged different datasets"
    return f"run {asked[0]} is both A and B" if len(asked) > 1 == len({*asked}) else None


def two_runs(runs: list[RunRow]) -> tuple[RunRow, RunRow]:
    """Choose them; B's choices are the other runs of A's dataset."""
    by_id = {run.id: run for run in runs}
    several = [run.id for run in runs if _others(by_id, run)]
    asked = number_in_url("b")
    default = several[-1]
    if asked in several:  # a link may name one run: another one of its dataset stands beside it
        default = _others(by_id, by_id[asked])[-1]
    left, right = st.columns(2)
    follow("a", several, default)
    a = by_id[
        left.selectbox(
            "A", several, key="a", format_func=lambda n: run_name(by_id[n]), on_change=chose_a, args=(by_id,)
        )
    ]
    others = _others(by_id, a)
    follow("b", others, others[-1])
    b = by_id[
        right.selectbox("B", others, key="b", format_func=lambda n: run_name(by_id[n]), on_change=write("b", "after"))
    ]
    return a, b


def chose_a(by_id: dict[int, RunRow]) -> None:
    """Write the choice of A; what stood beside the run before may have nothing to do with this one."""
    write("a", "after")()
    if number_in_url("b") not in _others(by_id, by_id[st.session_state["a"]]):
        st.query_params.pop("b", None)


def _others(by_id: dict[int, RunRow], run: RunRow) -> list[int]:
    return [n for n, one in by_id.items() if one.dataset_id == run.dataset_id and n != run.id]


def compared(space: Workspace, a: RunRow, b: RunRow) -> Comparison | None:
    """The comparison, or ``None`` while it is being made."""
    state = [(run.id, space.runs.prediction_count(run.id)) for run in (a, b)]
    return ready(
        ("compare", str(space.folder), *state),
        lambda: compare(space.database, a, b),
        words="Comparing pair by pair",
        height=320,
    )


with page("Compare"):
    runs = space().runs.list()
    if len({run.dataset_id for run in runs}) == len(runs):
        empty(
            "Nothing to compare yet",
            "Two runs of one dataset can be compared pair by pair: with another model, another "
            "instruction, or another order.",
            link=("runs", "Start a run"),
        )
    elif reason := in_the_way(runs):
        not_there(reason, "Two different runs over one dataset can be compared.", back="Choose two runs")
    else:
        a, b = two_runs(runs)
        found = compared(space(), a, b)
        if found is not None and not found.common:
            empty("No common pairs", "These two runs have judged different parts of the dataset.")
        elif found is not None:
            with st.container(border=True):
                outcomes(found, a, b)
            left, right = st.columns(2, gap="small")
            with left, st.container(border=True, height="stretch"):
                accuracies(found, a, b)
                of_a, of_b = analysis_of(space(), a), analysis_of(space(), b)
                if of_a and of_b:
                    consistency(a, b, of_a, of_b)
            with right, st.container(border=True, height="stretch"):
                flips(found)
            with st.container(horizontal=True):
                page_link("runs", "Open A", run=str(a.id))
                page_link("runs", "Open B", run=str(b.id))
            flipped_pairs(space(), a, b, found)
