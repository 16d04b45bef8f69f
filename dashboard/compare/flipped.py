"""The pairs behind an outcome, and a review queue of them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.curation.kinds.given import FILTER
from backend.curation.queues import MOST_ITEMS, NewQueue
from backend.domain.pairs import MediaKind
from backend.domain.prompts import noun
from backend.inference.compare import Comparison
from backend.store.comparisons import FlippedPair
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.background import ready
from dashboard.compare.charts import WORDS
from dashboard.components.pair_gallery import pair_gallery
from dashboard.media import media_url, thumb_url
from dashboard.navigation import go
from dashboard.numbers import many
from dashboard.page import errors_shown
from dashboard.text import clean
from dashboard.urls import follow, number_in_url, write

PER_PAGE = 24
_SAID = {"first": "first", "second": "second", "tie": "tie", "none": "unclear"}


def flipped_pairs(space: Workspace, a: RunRow, b: RunRow, found: Comparison) -> None:
    """Choose an outcome, see its pairs, review them."""
    choices = ["only_a", "only_b", "both_wrong", "both_right"]
    follow("pairs", choices, next((one for one in choices if found.outcomes[one]), "only_a"))
    line = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    with line:
        chosen = st.segmented_control(
            "Pairs",
            choices,
            required=True,
            key="pairs",
            on_change=write("pairs", "after"),
            format_func=lambda name: f"{WORDS[name]} · {found.outcomes[name]:,}",
            label_visibility="collapsed",
        )
    assert chosen is not None  # It is required.
    with line.container(horizontal=True, width="content"), errors_shown():
        count = found.outcomes[chosen]
        for name, run in (("A", a), ("B", b)):
            if st.button(
                f"Review with {name}'s reasoning",
                disabled=not count,
                key=f"review_{name}",
                help=f"makes a queue of at most {MOST_ITEMS:,}",
            ):
                _review(space, a, b, run, chosen)
    after = number_in_url("after") or 0
    if not found.outcomes[chosen]:
        st.caption("None.")
        return
    rows = ready(
        ("flipped", str(space.folder), a.id, b.id, found.said, chosen, after),
        lambda: space.comparisons.pairs_said(a.id, b.id, chosen, after=after, limit=PER_PAGE + 1),
        words="Looking for the pairs",
    )
    if rows is None:
        return
    if rows:
        pair_gallery([_card(row) for row in rows[:PER_PAGE]], key=f"flipped_{a.id}_{b.id}")
    else:
        st.caption("That was the last one.")
    with st.container(horizontal=True):
        if after and st.button("From the first", key="flipped_first"):
            st.query_params.pop("after", None)
            st.rerun()
        if len(rows) > PER_PAGE and st.button("Next pairs", key="flipped_next"):
            st.query_params["after"] = str(rows[PER_PAGE - 1].pair_id)
            st.rerun()


def _review(space: Workspace, a: RunRow, b: RunRow, run: RunRow, outcome: str) -> None:
    with st.spinner("Making the queue"):
        queue = space.make_queue(
            NewQueue(
                kind=FILTER.name,
                run_ids=(run.id,),
                title=f"Runs {a.id} (A) and {b.id} (B), {WORDS[outcome]}: reasoning of run {run.id}",
            ),
            ids=space.comparisons.predictions_said(a.id, b.id, outcome, of_run=run.id),
        )
    go("review", queue=str(queue.id))
    st.success(f"Queue {queue.id} holds {many(queue.items, 'prediction')}.")


def _card(row: FlippedPair) -> dict[str, Any]:
    return {
        "noun": noun(MediaKind(row.kind)),
        "thumbs": [thumb_url(row.pair_id, "first"), thumb_url(row.pair_id, "second")],
        "media": [media_url(row.pair_id, "first"), media_url(row.pair_id, "second")],
        "caption": clean(row.prompt, 300),
        "preferred": row.preference,
        "facts": f"row {row.idx} · A says {_SAID[row.a]} · B says {_SAID[row.b]}",
    }
