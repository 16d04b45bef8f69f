"""Browse: every prediction, by any combination of filters."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backend.curation.kinds.given import FILTER
from backend.curation.queues import MOST_ITEMS, NewQueue
from backend.domain.browse import BrowseFilter
from backend.domain.operations import Operation
from backend.store.browse import PAGE, Cursor, Hit
from backend.store.runs import RunRow
from dashboard.browse.bulk import acts, bulk_ruling, keep_answers, undo_line
from dashboard.browse.cards import cards
from dashboard.browse.counting import match_count, still_counting
from dashboard.browse.filters import SORTS, chips, filter_column, present_filter, write_url
from dashboard.browse.indexing import keep_up, not_indexed
from dashboard.browse.known import known_facets
from dashboard.components.result_grid import result_grid
from dashboard.empty import empty
from dashboard.identity import person, space
from dashboard.navigation import go
from dashboard.opening import open_in_review
from dashboard.page import errors_shown, page
from dashboard.roles import i_may
from dashboard.text import md
from dashboard.urls import follow, write

INDEX_S = 0.2  # how long a page waits for the indexes of words and scores
SHOWN = "browse_shown"
TRAIL = "browse_trail"


def place(wanted: BrowseFilter) -> Cursor | None:
    """Where in the results the URL is; at their beginning once the filter is another."""
    same = wanted.to_query() == st.session_state.get(SHOWN, wanted.to_query())
    st.session_state[SHOWN] = wanted.to_query()
    key, _, number = st.query_params.get("after", "").partition("~")
    try:
        return Cursor(float(key), int(number)) if same else None
    except ValueError:
        return None


def said(cursor: Cursor | None) -> str:
    """A place as the URL names it."""
    return f"{cursor.key!r}~{cursor.id}" if cursor else ""


def found(wanted: BrowseFilter, after: Cursor | None) -> tuple[list[Hit], bool]:
    """The matches of this page, and whether there are more behind them."""
    browse = space().browse
    if waiting := not_indexed(browse, wanted, INDEX_S):
        st.caption(f"{waiting:,} predictions are not indexed yet; this search reads them one by one.")
    hits = browse.page(wanted, after=after, limit=PAGE + 1)
    return hits[:PAGE], len(hits) > PAGE


def head_line() -> tuple[DeltaGenerator, DeltaGenerator, bool]:
    """Places for the count and for what can be done with all matches; whether a table is wanted."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        counted = st.empty()
        counted.markdown("counting")
        st.space("stretch")
        st.selectbox(
            "Sort",
            list(SORTS),
            format_func=SORTS.__getitem__,
            key="browse_sort",
            label_visibility="collapsed",
            width=170,
        )
        follow("view", ["cards", "table"], "cards")
        view = st.segmented_control(
            "View", ["cards", "table"], key="view", required=True, label_visibility="collapsed", on_change=write("view")
        )
        # A container, which stays: in a place that is emptied first a popover would close at every
        # touch of what is in it.
        actions = st.container(horizontal=True, gap="small", width="content", vertical_alignment="center")
    return counted, actions, view == "table"


def results(wanted: BrowseFilter, hits: list[Hit], *, table: bool) -> None:
    """Cards or rows; the one that is opened leads to the review room."""
    if not hits:
        empty("No prediction matches", "Remove a filter above, or clear all of them.")
        return
    focus = st.query_params.get("focus", "")
    chosen = result_grid(
        cards(space().database, hits, person().name),
        table=table,
        key="browse_grid",
        focus=int(focus) if focus.isdecimal() else None,
    )
    ids = [hit.id for hit in hits]
    if chosen in ids:
        write_url(wanted, after=st.query_params.get("after", ""), focus=str(chosen))
        title = f"Browse, {len(ids)} from prediction {ids[0]}"
        open_in_review(ids, title, at=ids.index(chosen))


def pages_line(wanted: BrowseFilter, hits: list[Hit], after: Cursor | None, *, more: bool) -> None:
    """To the first page, one back, one on."""
    trail = st.session_state.setdefault(TRAIL, [])
    with st.container(horizontal=True, horizontal_alignment="center"):
        if after is not None and st.button("First page", type="tertiary"):
            trail.clear()
            write_url(wanted)
            st.rerun()
        if after is not None and trail and st.button("Previous", icon=":material/arrow_back:"):
            write_url(wanted, after=trail.pop())
            st.rerun()
        if more and st.button("Next", icon=":material/arrow_forward:", icon_position="right"):
            trail.append(st.query_params.get("after", ""))
            write_url(wanted, after=said(Cursor(hits[-1].key, hits[-1].id)))
            st.rerun()


def count_line(wanted: BrowseFilter, count: int | None, counted: DeltaGenerator) -> None:
    """How many match, in the place that was left for it."""
    with counted.container(width="content"):
        if count is None:
            still_counting(space().database, wanted)
        else:
            st.markdown(f"**{count:,}** match{'' if count == 1 else 'es'}")


def on_all(wanted: BrowseFilter, count: int | None, *, any_hit: bool) -> None:
    """What can be done with all matches."""
    if st.button(
        "Review these",
        disabled=not (any_hit and i_may(Operation.MAKE_QUEUE)),
        help=f"makes a queue; at most {MOST_ITEMS:,}",
    ):
        ids = space().browse.ids(wanted, at_most=MOST_ITEMS)
        queue = space().make_queue(NewQueue(kind=FILTER.name, title=f"{len(ids):,} matches from Browse"), ids=ids)
        go("review", queue=str(queue.id))
    # Under another key after each act: it closes when that is done.
    with st.popover("Rule on all", key=f"browse_rule_{acts()}"), errors_shown():
        if count is None:
            keep_answers()
            st.caption("The matches are still being counted.")
        else:
            bulk_ruling(wanted, count)


def matches(wanted: BrowseFilter, refused: list[str]) -> None:
    """Everything beside the filters."""
    # One place for what is not always there: what comes below keeps its own, and stays open.
    with st.container():
        if refused:
            st.warning(f"Left out of this link, because it cannot be understood or applied: {md(', '.join(refused))}")
        undo_line()
    counted, actions, table = head_line()
    chips(wanted)
    after = place(wanted)
    hits, more = found(wanted, after)
    write_url(wanted, after=said(after), focus=st.query_params.get("focus", ""))
    results(wanted, hits, table=table)
    pages_line(wanted, hits, after, more=more)
    # Last, so that results never wait for it.
    everything = after is None and not more
    count = len(hits) if everything else match_count(space().database, wanted)
    count_line(wanted, count, counted)
    with actions:
        on_all(wanted, count, any_hit=bool(hits))


def browse(runs: list[RunRow]) -> None:
    """Filters on the left, results on the right."""
    keep_up(space().database)
    people, who = space().people, person().name
    kept = people.settings(who).get("browse", {}) if who else {}
    _, refused = present_filter(kept)
    filters, right = st.columns([1, 4], gap="medium")
    with filters, st.container(key="browse_filters"):
        wanted = filter_column(runs, known_facets(space().database))
    with right, errors_shown():
        matches(wanted, refused)
        if who and kept != wanted.to_query() and i_may(Operation.KEEP_SETTINGS):
            people.keep(who, browse=wanted.to_query())


with page("Browse"):
    if runs := space().runs.list():
        browse(runs)
    else:
        empty(
            "Nothing to browse yet",
            "Every prediction of every run will be here, with its media.",
            link=("pages/overview.py", "Start on the overview"),
        )
