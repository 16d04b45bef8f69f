"""Training: start one, watch it, and see whether the new judge is better."""

from __future__ import annotations

from collections import defaultdict

import streamlit as st

from backend.curation.sets import list_sets
from backend.domain.jobs import OPEN
from backend.domain.operations import Operation
from backend.errors import NotFound
from backend.store.runs import RunRow
from backend.store.trainings import TrainingRow
from dashboard.empty import empty
from dashboard.identity import space
from dashboard.job_cards import card_style
from dashboard.numbers import many
from dashboard.page import page
from dashboard.roles import i_may
from dashboard.training.card import draw_card
from dashboard.training.compare import two_trainings
from dashboard.training.detail import live_card, training_detail
from dashboard.training.form import load_form, training_form
from dashboard.training.results import newest_result
from dashboard.urls import number_in_url

PER_PAGE = 12


def show(**query: str) -> None:
    st.query_params.from_dict(query)
    st.rerun()


def header(title: str, rows: list[TrainingRow], *, back: bool) -> None:
    left, right = st.columns([4, 3], vertical_alignment="center")
    left.header(title, anchor=False)
    with right.container(horizontal=True, horizontal_alignment="right"):
        if back and st.button("All trainings", icon=":material/arrow_back:", key="all_trainings"):
            show()
        if not back and len(rows) > 1 and st.button("Compare curves", key="compare_trainings"):
            show(compare=f"{rows[-2].id},{rows[-1].id}")
        if (
            not back
            and i_may(Operation.START_TRAINING)
            and st.button("New training", type="primary", key="new_training")
        ):
            show(new="1")


def trainings_list(rows: list[TrainingRow]) -> None:
    """What is going first, then the newest."""
    if not rows:
        empty(
            "No trainings yet",
            "A training fine-tunes a judge on frozen sets, in the background. Its curves and checkpoints will be here.",
            link=None if list_sets(space().database) else ("curate", "Freeze a set first"),
        )
        return
    results = measured()
    going = [row for row in rows if row.status in OPEN]
    ended = [row for row in reversed(rows) if row.status not in OPEN]
    before = number_in_url("before")
    shown = [row for row in ended if before is None or row.id < before]
    if going and before is None:
        st.subheader(f"{many(len(going), 'training')} under way", anchor=False)
        for row in going:
            entry(row, results, live=True)
        if ended:
            st.subheader("Ended", anchor=False)
    for row in shown[:PER_PAGE]:
        entry(row, results, live=False)
    with st.container(horizontal=True):
        if before is not None and st.button("Newest", key="newest_trainings"):
            show()
        if len(shown) > PER_PAGE and st.button("Older", key="older_trainings"):
            show(before=str(shown[PER_PAGE - 1].id))


def measured() -> dict[int, list[RunRow]]:
    """The runs that measure each training's checkpoints."""
    runs = {run.id: run for run in space().runs.list()}
    found: dict[int, list[RunRow]] = defaultdict(list)
    for one in space().trainings.evaluations():
        if one.run_id in runs:
            found[one.training_id].append(runs[one.run_id])
    return found


def entry(row: TrainingRow, results: dict[int, list[RunRow]], *, live: bool) -> None:
    with st.container(border=True):
        left, right = st.columns([9, 1], vertical_alignment="center")
        with left:
            if live:
                live_card(space(), row)
            else:
                draw_card(row, newest_result(space(), results.get(row.id, [])))
        if right.button("Open", key=f"open_training_{row.id}", width="stretch"):
            show(training=str(row.id))


def new_training(rows: list[TrainingRow]) -> None:
    """The form, filled from another training where the URL names one."""
    if not i_may(Operation.START_TRAINING):
        empty("Operators start trainings", "You can look at every training and its curves.")
        return
    sets = list_sets(space().database)
    if not sets:
        empty(
            "No set to train on",
            "A training needs a frozen set: what runs accepted and people ruled.",
            link=("curate", "Freeze a set"),
        )
        return
    source = number_in_url("from")
    row = next((one for one in rows if one.id == source), None)
    again = f"{source} {st.query_params.get('set', '')}"
    load_form(sets, row, space().runs.list(), again=again)
    training_form(space(), sets, rows)


# A link that names a set and nothing else means a new training on it.
chosen, new = number_in_url("training"), bool({"new", "set"} & st.query_params.keys())
with page(None):
    card_style()
    every = space().trainings.list()
    found = next((row for row in every if row.id == chosen), None)
    together = "compare" in st.query_params and len(every) > 1
    title = f"Training {chosen}" if found else "New training" if new else "Two trainings" if together else "Training"
    header(title, every, back=new or together or chosen is not None)
    if found is not None:
        training_detail(space(), found)
    elif chosen is not None:
        raise NotFound(f"there is no training {chosen}", hint="All trainings, above, shows those there are")
    elif new:
        new_training(every)
    elif together:
        two_trainings(space(), every)
    else:
        trainings_list(every)
