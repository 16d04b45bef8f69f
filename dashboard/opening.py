"""From a page of results into the review room, at the one that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backend.curation.kinds.given import FILTER
from backend.curation.queues import NewQueue
from dashboard.identity import space
from dashboard.navigation import go

_MADE = "opened_queues"


def open_in_review(ids: Sequence[int], title: str, *, at: int = 0) -> None:
    """Go to the review room over ``ids``, which make a queue that stands in no list.

    Looking at the same ones again in this session leads to the same queue.
    """
    kept = st.session_state.setdefault(_MADE, {})
    number = kept.get(tuple(ids))
    if number is None:
        queue = space().make_queue(NewQueue(kind=FILTER.name, title=title, listed=False), ids=ids)
        number = kept[tuple(ids)] = queue.id
    go("review", queue=str(number), at=str(at))
