"""Browse: every prediction, by any combination of filters."""

from __future__ import annotations

import streamlit as st

from backend.curation.queues import MOST_ITEMS, NewQueue, QueueKind, Queues
from backend.domain.browse import BrowseFilter
from backend.store.browse import PAGE, Browse, Cursor, Hit
from backend.store.people import People
from dashboard.browse.bulk import bulk_ruling, undo_line
from dashboard.browse.cards import cards
from dashboard.browse.counting import match_count, still_counting
from dashboard.browse.filters import SORTS, chips, filter_column, present_filter, write_url
from dashboard.browse.indexing import keep_up, not_indexed
from dashboard.browse.known import known_facets
from dashboard.components.result_grid import result_grid
from dashboard.empty import empty
from dashboard.navigation import go
from dashboard.page import errors_shown, page
from dashboard.space import person, space
from dashboard.text import md

INDEX_S = 0.2  # how long a page waits for the indexes of words and scores


def place() -> Cursor | None:
    """Where in the results the URL is."""
    key, _, number = st.query_params.get("after", "").partition("~")
    try:
        return Cursor(float(key), int(number))
    except ValueError:
        return None


def open_pair(hits: list[Hit], chosen: int) -> None:
    """Go to the review room with this page's results, at the chosen one."""
    ids = [hit.id for hit in hits]
    if chosen not in ids:
        return
    kept = st.session_state.setdefault("browse_queues", {})
    number = kept.get(tuple(ids))
    if number is None:
        title = f"Browse, {len(ids)} from prediction {ids[0]}"
        queue = Queues(space().database).make(
            NewQueue(kind=QueueKind.FILTER, title=title, listed=False),
            created_by=person().name or "somebody",
            ids=ids,
        )
        number = kept[tuple(ids)] = queue.id
    write_url(wanted, after=st.query_params.get("after", ""), focus=str(chosen))
    go("review", queue=str(number), at=str(ids.index(chosen)))


def review_all(wanted: BrowseFilter, count: int) -> None:
    """A review queue of all matches."""
    if st.button(
        "Review these", disabled=count == 0, help=f"makes a queue; at most {MOST_ITEMS:,}"
    ):
        ids = Browse(space().database).ids(wanted, at_most=MOST_ITEMS)
        queue = Queues(space().database).make(
            NewQueue(kind=QueueKind.FILTER, title=f"{len(ids):,} matches from Browse"),
            created_by=person().name or "somebody",
            ids=ids,
        )
        go("review", queue=str(queue.id))


with page("Browse"):
    runs = space().runs.list()
    if not runs:
        empty("Nothing to browse yet", "Every prediction of every run will be here, with its media.",
              link=("pages/overview.py", "Start on the overview"))  # fmt: skip
        st.stop()
    browse, people = Browse(space().database), People(space().database)
    keep_up(space().database)
    who = person().name
    kept = people.settings(who).get("browse", {}) if who else {}
    before, refused = present_filter(kept)
    filters, results = st.columns([1, 4], gap="medium")
    with filters:
        wanted = filter_column(runs, known_facets(space().database))
    after = place() if wanted.to_query() == st.session_state.get("browse_shown") else None
    if "browse_shown" not in st.session_state:
        after = place()
    st.session_state["browse_shown"] = wanted.to_query()
    with results, errors_shown():
        if refused:
            st.warning(f"Not understood in this link, and left out: {md(', '.join(refused))}")
        undo_line()
        head = st.container(horizontal=True, vertical_alignment="center", gap="small")
        chips(wanted)
        if waiting := not_indexed(browse, wanted, INDEX_S):
            st.caption(
                f"{waiting:,} predictions are not indexed yet; this search reads them one by one."
            )
        hits = browse.page(wanted, after=after, limit=PAGE + 1)
        more, hits = len(hits) > PAGE, hits[:PAGE]
        write_url(
            wanted,
            after=f"{after.key!r}~{after.id}" if after else "",
            focus=st.query_params.get("focus", ""),
        )
        with head:
            counted = st.empty()
            counted.markdown("counting")
            st.space("stretch")
            st.selectbox("Sort", list(SORTS), format_func=SORTS.__getitem__, key="browse_sort",
                         label_visibility="collapsed", width=170)  # fmt: skip
            table = st.segmented_control("View", ["cards", "table"], default="cards", key="browse_view",
                                         label_visibility="collapsed") == "table"  # fmt: skip
            actions = st.empty()
        if hits:
            focus = st.query_params.get("focus", "")
            chosen = result_grid(cards(hits), table=table, key="browse_grid",
                                 focus=int(focus) if focus.isdecimal() else None)  # fmt: skip
            if chosen is not None:
                open_pair(hits, chosen)
        else:
            empty("No prediction matches", "Remove a filter above, or clear all of them.")
        with st.container(horizontal=True, horizontal_alignment="center"):
            trail = st.session_state.setdefault("browse_trail", [])
            if after is not None and st.button("First page", type="tertiary"):
                trail.clear()
                write_url(wanted)
                st.rerun()
            if after is not None and trail and st.button("Previous", icon=":material/arrow_back:"):
                write_url(wanted, after=trail.pop())
                st.rerun()
            if more and st.button("Next", icon=":material/arrow_forward:", icon_position="right"):
                trail.append(st.query_params.get("after", ""))
                write_url(wanted, after=f"{hits[-1].key!r}~{hits[-1].id}")
                st.rerun()
        # Last, so that results never wait for it.
        everything = after is None and not more
        count = len(hits) if everything else match_count(space().database, wanted)
        with counted.container(width="content"):
            if count is None:
                still_counting(space().database, wanted)
            else:
                st.markdown(f"**{count:,}** match{'' if count == 1 else 'es'}")
        with actions.container(horizontal=True, gap="small", width="content"):
            review_all(wanted, len(hits))
            with st.popover("Rule on all"), errors_shown():
                if count is None:
                    st.caption("The matches are still being counted.")
                else:
                    bulk_ruling(wanted, count)
        if who and kept != wanted.to_query():
            people.keep(who, browse=wanted.to_query())
