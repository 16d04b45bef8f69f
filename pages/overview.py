"""Overview: the loop as a whole, what is going on, and what needs a person."""

from __future__ import annotations

import streamlit as st

from backend.domain.jobs import OPEN
from backend.domain.operations import Operation
from backend.store.runs import RunRow
from dashboard.identity import space
from dashboard.job_cards import card_style
from dashboard.navigation import page_link
from dashboard.numbers import many
from dashboard.overview.counting import counted
from dashboard.overview.demo import demo_progress, start_demo
from dashboard.overview.funnel import funnel
from dashboard.overview.history import acceptance_chart, accuracy_chart, history_numbers
from dashboard.overview.waiting import needs_a_person
from dashboard.page import errors_shown, page
from dashboard.roles import i_may
from dashboard.runs.detail import live_card

# So many runs, the newest, are in the charts. (A bare string here would be drawn.)
RUNS = 40


def first_step() -> None:
    """In an empty workspace: what Winnow does, and two ways in."""
    with st.container(border=True):
        st.subheader("Start with pairs", anchor=False)
        st.write(
            "A judge is shown a caption and two images or videos, reasons, and says which is better. "
            "Winnow keeps the answers that agree with people, lets you look at them, and writes "
            "them as a training set."
        )
        st.write("The first step is a dataset: a file of pairs with the recorded preference.")
        with st.container(horizontal=True, vertical_alignment="center"), errors_shown():
            page_link("datasets", "Add a dataset")
            if i_may(Operation.START_DEMO) and st.button(
                "Try the demo", key="start_demo", help="Renders pairs and judges them with a small model"
            ):
                start_demo(space())
                st.rerun()


def under_way(runs: list[RunRow]) -> None:
    """What is running or queued."""
    going = [run for run in runs if run.status in OPEN]
    if going:
        st.subheader(f"{many(len(going), 'run')} under way", anchor=False)
    for run in going:
        with st.container(border=True):
            live_card(space(), run)
            page_link("runs", "Open", run=str(run.id))


with page("Overview"):
    card_style()
    demo_progress(space())
    runs = space().runs.list()
    overview = space().overview
    found = counted(space().database, runs)
    if found is None:
        under_way(runs)
    elif not runs and not overview.pairs():
        first_step()
    else:
        history = found.history
        loop = overview.loop(
            predictions=sum(counts.done for _, counts in history),
            accepted=sum(counts.effective for _, counts in history),
            in_sets=found.in_sets,
            trained=found.trained,
        )
        funnel(loop)
        under_way(runs)
        rows = [row for row in history[-RUNS:] if row[1].done]
        left, middle, right = st.columns(3, gap="small")
        with left, st.container(border=True, height="stretch"):
            needs_a_person(overview.waiting(), loop, runs, space().queues.newest())
        if rows:
            with middle, st.container(border=True, height="stretch"):
                accuracy_chart(rows)
            with right, st.container(border=True, height="stretch"):
                acceptance_chart(rows)
            history_numbers(rows)
