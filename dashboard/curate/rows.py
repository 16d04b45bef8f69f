"""The rows of a frozen set: as pictures, a page at a time, each leading to its pair."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.curation.sets import SetRow
from backend.domain.pairs import MediaKind, Order
from backend.domain.prompts import noun
from backend.store.sets import ShownItem
from backend.workspace import Workspace
from dashboard.components.result_grid import result_grid
from dashboard.media import SIDES, thumb_url
from dashboard.opening import open_in_review
from dashboard.text import clean
from dashboard.urls import number_in_url

PER_PAGE = 24
_BASIS = {"filter": "by the filter", "accept": "accepted by hand", "relabel": "relabelled"}


def set_rows(space: Workspace, row: SetRow) -> None:
    """A page of rows, and the way on. Where one is stands in the URL."""
    after = number_in_url("after")
    found = space.sets.shown(row.id, after=-1 if after is None else after, limit=PER_PAGE + 1)
    more, found = len(found) > PER_PAGE, found[:PER_PAGE]
    if not found:
        st.caption("That was the last one.")
    else:
        st.caption(f"Rows {found[0].position + 1:,} to {found[-1].position + 1:,}, in frozen order")
        focus = number_in_url("focus")
        chosen = result_grid([_card(item) for item in found], table=False, focus=focus, key="set_rows")
        ids = [item.prediction_id for item in found]
        if chosen in ids:
            st.query_params["focus"] = str(chosen)
            title = f"{row.name}@{row.version} from row {found[0].position + 1}"
            open_in_review(ids, title, at=ids.index(chosen))
    with st.container(horizontal=True):
        if after is not None and st.button("From the first", key="rows_first"):
            _show(None)
        if more and st.button("Next rows", key="rows_next"):
            _show(found[-1].position)


def _show(after: int | None) -> None:
    for name in ("after", "focus"):
        st.query_params.pop(name, None)
    if after is not None:
        st.query_params["after"] = str(after)
    st.rerun()


def _card(item: ShownItem) -> dict[str, Any]:
    sides = Order(item.order).arrange(*SIDES)
    return {
        "id": item.prediction_id,
        "noun": noun(MediaKind(item.kind)),
        "thumbs": [thumb_url(item.pair_id, side) for side in sides],
        "caption": clean(item.prompt, 240),
        "answer": item.answer,
        "preferred": item.preferred,
        "state": "accepted",
        "decision": _BASIS.get(item.basis, item.basis),
        "facts": f"row {item.position + 1:,} · run {item.run_id}",
    }
