"""Curate: freeze what was accepted, look at versions, export."""

from __future__ import annotations

import streamlit as st

from backend.curation.sets import get_set, list_sets
from backend.domain.operations import Operation
from backend.errors import NotFound
from dashboard import tasks
from dashboard.curate.compose import compose
from dashboard.curate.sets import one_set, open_set, set_list
from dashboard.empty import empty, not_there
from dashboard.identity import space
from dashboard.page import errors_shown, page

with page("Curate"):
    rows = list_sets(space().database)
    if wanted := st.query_params.get("set", ""):
        try:
            chosen = get_set(space().database, wanted)
        except NotFound as error:
            not_there(error.message, "It may have been named otherwise.", back="All sets")
            st.stop()
        one_set(space(), chosen, rows)
    else:
        runs = space().runs.list()
        if not runs:
            empty(
                "Nothing to freeze yet",
                "A set is made of what runs accepted and people ruled.",
                link=("overview", "Start on the overview"),
            )
            st.stop()
        with st.container(border=True):
            st.subheader("New version", anchor=False)
            compose(space(), runs)
        tasks.watch(space(), Operation.FREEZE, finished=open_set)
        with errors_shown():
            st.subheader("Frozen sets", anchor=False)
            if rows:
                set_list(rows)
            else:
                st.caption("None yet. A frozen set never changes; freezing again makes a new version.")
