"""The gallery: pairs in file order, a page at a time, with the rare ones as filters."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.domain.pairs import MediaKind
from backend.domain.prompts import noun
from backend.ingest.report import kept_index
from backend.store.datasets import DatasetRow
from backend.store.gallery import FILTERS, Gallery, GalleryPair
from backend.workspace import Workspace
from dashboard.components.pair_gallery import pair_gallery
from dashboard.media import media_url, thumb_url
from dashboard.text import clean
from dashboard.urls import follow, number_in_url, write
from dashboard.words import ISSUES

PER_PAGE = 24
_CODES = {"duplicates": "duplicate", "conflicts": "conflict"}
_WORDS = {
    "all": "all pairs",
    "ties": "recorded ties",
    "duplicates": ISSUES["duplicate"],
    "conflicts": ISSUES["conflict"],
    "missing": "media missing or unreadable",
}
_NOTHING = {
    "ties": "No recorded tie.",
    "duplicates": "No pair is listed twice.",
    "conflicts": "No pair is listed twice with different preferences.",
    "missing": "Every medium is there and can be read.",
}


def pair_card(pair: GalleryPair, more: str = "") -> dict[str, Any]:
    """A pair as the gallery component draws it, in dataset order."""
    facts = [f"row {pair.idx}"]
    if pair.preference == "tie":
        facts.append("tie")
    if not pair.media_ok:
        facts.append("media missing or unreadable")
    if more:
        facts.append(more)
    return {
        "noun": noun(MediaKind(pair.kind)),
        "thumbs": [thumb_url(pair.pair_id, "first"), thumb_url(pair.pair_id, "second")],
        "media": [media_url(pair.pair_id, "first"), media_url(pair.pair_id, "second")],
        "caption": clean(pair.prompt, 300),
        "preferred": pair.preference,
        "facts": " · ".join(facts),
    }


def gallery(space: Workspace, dataset: DatasetRow) -> None:
    """Draw the filter, a page, and the way on. All of it is in the URL."""
    follow("filter", FILTERS, "all")
    chosen = st.segmented_control(
        "Show",
        FILTERS,
        required=True,
        key="filter",
        format_func=_WORDS.__getitem__,
        on_change=write("filter", "after"),
        label_visibility="collapsed",
    )
    assert chosen is not None  # It is required.
    after = number_in_url("after")
    if chosen in _CODES:
        cards, following = _by_issue(space, dataset, chosen, after)
    else:
        start = -1 if after is None else after
        found = Gallery(space.database, dataset.id).pairs(chosen, after=start, limit=PER_PAGE + 1)
        cards = [pair_card(pair) for pair in found[:PER_PAGE]]
        following = found[PER_PAGE - 1].idx if len(found) > PER_PAGE else None
    if not cards:
        st.caption(_NOTHING.get(chosen, "No pairs.") if after is None else "That was the last one.")
    else:
        pair_gallery(cards, key=f"pairs_{dataset.id}")
    with st.container(horizontal=True):
        if after is not None and st.button("From the first", key="pairs_first"):
            st.query_params.pop("after", None)
            st.rerun()
        if following is not None and st.button("Next pairs", key="pairs_next"):
            st.query_params["after"] = str(following)
            st.rerun()


def _by_issue(
    space: Workspace, dataset: DatasetRow, chosen: str, after: int | None
) -> tuple[list[dict[str, Any]], int | None]:
    """Pairs that rows of the file repeat; the pair shown is the one that was kept."""
    rows = Gallery(space.database, dataset.id)
    found = rows.issues(_CODES[chosen], after=after or 0, limit=PER_PAGE + 1)
    again: dict[int, list[int]] = {}
    for issue in found[:PER_PAGE]:
        kept = kept_index(issue.message)
        if kept is not None:
            again.setdefault(kept, []).append(issue.row)
    words = "again in row" if chosen == "duplicates" else "contradicted in row"
    cards = [pair_card(pair, f"{words} {', '.join(map(str, again[pair.idx]))}") for pair in rows.by_index(list(again))]
    return cards, found[PER_PAGE - 1].issue_id if len(found) > PER_PAGE else None
