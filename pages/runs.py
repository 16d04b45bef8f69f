"""Runs: launch them, watch them, and see what they teach."""

from __future__ import annotations

import streamlit as st

from backend.domain.jobs import OPEN
from backend.domain.operations import Operation
from backend.errors import NotFound
from backend.store.runs import RunRow
from dashboard.empty import empty
from dashboard.identity import space
from dashboard.job_cards import card_style
from dashboard.numbers import many
from dashboard.page import page
from dashboard.roles import i_may
from dashboard.runs.card import draw_card
from dashboard.runs.detail import live_card, run_detail
from dashboard.runs.launch import launch_form, load_form, nothing_to_judge
from dashboard.urls import number_in_url

PER_PAGE = 12


def show(**query: str) -> None:
    st.query_params.from_dict(query)
    st.rerun()


def header(title: str, *, back: bool) -> None:
    left, right = st.columns([5, 2], vertical_alignment="center")
    left.header(title, anchor=False)
    with right.container(horizontal=True, horizontal_alignment="right"):
        if back and st.button("All runs", icon=":material/arrow_back:", key="all_runs"):
            show()
        if not back and i_may(Operation.START_RUN) and st.button("New run", type="primary", key="new_run"):
            show(new="1")


def runs_list(runs: list[RunRow]) -> None:
    """What is going first, then the newest."""
    if not runs:
        empty(
            "No runs yet",
            "A run shows every pair of a dataset to a judge, in the background.",
            link=None if space().datasets.list() else ("datasets", "Add a dataset"),
        )
        return
    going = [run for run in runs if run.status in OPEN]
    ended = [run for run in reversed(runs) if run.status not in OPEN]
    before = number_in_url("before")
    shown = [run for run in ended if before is None or run.id < before]
    if going and before is None:
        st.subheader(f"{many(len(going), 'run')} under way", anchor=False)
        for run in going:
            entry(run, live=True)
        if ended:
            st.subheader("Ended", anchor=False)
    for run in shown[:PER_PAGE]:
        entry(run, live=False)
    with st.container(horizontal=True):
        if before is not None and st.button("Newest", key="newest_runs"):
            show()
        if len(shown) > PER_PAGE and st.button("Older", key="older_runs"):
            show(before=str(shown[PER_PAGE - 1].id))


def entry(run: RunRow, *, live: bool) -> None:
    with st.container(border=True):
        left, right = st.columns([9, 1], vertical_alignment="center")
        with left:
            if live:
                live_card(space(), run)
            else:
                draw_card(space(), run)
        if right.button("Open", key=f"open_{run.id}", width="stretch"):
            show(run=str(run.id))


def new_run(runs: list[RunRow]) -> None:
    """The launch form, filled from another run where the URL names one."""
    if not i_may(Operation.START_RUN):
        empty("Operators start runs", "You can look at every run and review its predictions.")
        return
    datasets = [row for row in space().datasets.list() if row.status == "ready"]
    if not datasets:
        nothing_to_judge()
        return
    source = number_in_url("from")
    run = next((one for one in runs if one.id == source), None)
    load_form(run, datasets, runs, again=f"{source}")
    launch_form(space(), datasets, runs)


asked, new = st.query_params.get("run", ""), "new" in st.query_params
with page(None):
    card_style()
    every = space().runs.list()
    found = next((run for run in every if str(run.id) == asked), None)
    header(f"Run {asked}" if found else "New run" if new else "Runs", back=new or bool(asked))
    if found is not None:
        run_detail(space(), found)
    elif asked:
        raise NotFound(f"there is no run {asked}", hint="All runs, above, shows those there are")
    elif new:
        new_run(every)
    else:
        runs_list(every)
