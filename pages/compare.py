"""Compare: two runs over the same pairs."""

from __future__ import annotations

import streamlit as st

from backend.inference.compare import Comparison, compare
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.background import ready
from dashboard.compare.charts import accuracies, consistency, flips, outcomes
from dashboard.compare.flipped import flipped_pairs
from dashboard.empty import empty
from dashboard.navigation import page_link
from dashboard.page import page
from dashboard.runs.card import run_name
from dashboard.runs.detail import analysis_of
from dashboard.space import space


def two_runs(runs: list[RunRow]) -> tuple[RunRow, RunRow]:
    """Choose them; B's choices are the other runs of A's dataset."""
    by_id = {run.id: run for run in runs}
    several = [run.id for run in runs if sum(run.dataset_id == one.dataset_id for one in runs) > 1]
    left, right = st.columns(2)
    asked = st.query_params.get("b", "")
    if "a" not in st.query_params and asked.isdecimal() and int(asked) in several:
        # A link that names one run: set another one of its dataset beside it.
        other = [
            n
            for n in several
            if n != int(asked) and by_id[n].dataset_id == by_id[int(asked)].dataset_id
        ]
        st.query_params["a"] = str(other[-1])
    a = by_id[
        left.selectbox("A", several, key="a", bind="query-params",
                       format_func=lambda n: run_name(by_id[n]), on_change=_from_the_first)
    ]  # fmt: skip
    others = [n for n in several if by_id[n].dataset_id == a.dataset_id and n != a.id]
    b = by_id[
        right.selectbox("B", list(reversed(others)), key="b", bind="query-params",
                        format_func=lambda n: run_name(by_id[n]), on_change=_from_the_first)
    ]  # fmt: skip
    return a, b


def _from_the_first() -> None:
    st.query_params.pop("after", None)


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
    else:
        a, b = two_runs(runs)
        found = compared(space(), a, b)
        if found is not None and not found.common:
            empty("No common pairs", "These two runs have judged different parts of the dataset.")
        elif found is not None:
            with st.container(border=True):
                outcomes(found)
            left, middle, right = st.columns(3, gap="medium")
            with left, st.container(border=True):
                accuracies(found, a, b)
            with middle, st.container(border=True):
                of_a, of_b = analysis_of(space(), a), analysis_of(space(), b)
                if of_a and of_b:
                    consistency(a, b, of_a, of_b)
            with right, st.container(border=True):
                flips(found)
            with st.container(horizontal=True):
                page_link("runs", "Open A", run=str(a.id))
                page_link("runs", "Open B", run=str(b.id))
            flipped_pairs(space(), a, b, found)
