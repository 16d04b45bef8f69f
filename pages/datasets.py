"""Datasets: add them, see what is wrong in them, look at their pairs."""

from __future__ import annotations

import streamlit as st

from backend.domain.operations import Operation
from dashboard.datasets.adding import add_form, importing, imports
from dashboard.datasets.pairs import gallery
from dashboard.datasets.report import facts, issues
from dashboard.empty import empty, not_there
from dashboard.identity import space
from dashboard.navigation import page_link
from dashboard.numbers import many
from dashboard.page import page
from dashboard.roles import i_may
from dashboard.text import clean, md
from dashboard.urls import follow, write

with page(None):
    datasets = space().datasets.list()
    left, right = st.columns([5, 2], vertical_alignment="center")
    left.header("Datasets", anchor=False)
    if datasets and i_may(Operation.ADD_DATASET):
        line = right.container(horizontal=True, horizontal_alignment="right")
        with line.popover("Add a dataset", icon=":material/add:"):
            add_form(space())
    imports(space())
    if not datasets:
        empty(
            "No datasets yet",
            "A dataset is a file of pairs: a caption, two images or videos, and which one people "
            "prefer. The file stays where it is; its rows are read and checked.",
        )
        if i_may(Operation.ADD_DATASET):
            with st.container(border=True):
                add_form(space())
    elif (asked := st.query_params.get("name")) and asked not in {row.name for row in datasets}:
        not_there(
            f"there is no dataset {asked}", "It may be in another workspace, or not be added yet.", back="All datasets"
        )
    else:
        counts = {row.name: row.judgeable for row in datasets}
        follow("name", list(counts), datasets[-1].name)
        follow("tab", ["pairs", "report"], "pairs")
        name = st.selectbox(
            "Dataset",
            list(reversed(counts)),
            key="name",
            format_func=lambda one: f"{clean(one, 80)} · {many(counts[one], 'pair')}",
            label_visibility="collapsed",
            on_change=write("name", "after", "issue"),
        )
        dataset = next(row for row in datasets if row.name == name)
        facts(dataset)
        if dataset.status != "ready":
            if not importing(space(), dataset.name):
                st.warning(f"It is not ready ({md(dataset.status)}). Add the same files again to go on.")
        elif not dataset.judgeable:
            st.warning("No pair can be judged. What was found wrong says why.")
        with st.container(horizontal=True, vertical_alignment="center"):
            tab = st.segmented_control(
                "Part",
                ["pairs", "report"],
                required=True,
                key="tab",
                on_change=write("tab"),
                label_visibility="collapsed",
                format_func={"pairs": "Pairs", "report": "What was found wrong"}.__getitem__,
            )
            if dataset.status == "ready" and dataset.judgeable and i_may(Operation.START_RUN):
                page_link("runs", "Start a run over it", new="1", dataset=dataset.name)
        if tab == "report":
            issues(space(), dataset)
        else:
            gallery(space(), dataset)
