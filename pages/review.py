"""Review: queues, and the room in which pairs are ruled on."""

from __future__ import annotations

import streamlit as st

from backend.domain.operations import Operation
from backend.errors import NotFound
from backend.store.queues import QueueRow
from dashboard.components.pair_viewer import pair_viewer
from dashboard.empty import empty
from dashboard.identity import ask_name, person, space
from dashboard.page import errors_shown, page
from dashboard.queue_form import new_queue, queue_state, shown_title
from dashboard.roles import i_may
from dashboard.session import api_token, workspace_mark
from dashboard.text import md


def open_queue(queue: QueueRow) -> None:
    st.query_params.from_dict({"queue": str(queue.id)})
    st.rerun()


def asked_for() -> QueueRow | None:
    """The queue that the URL names.

    Raises:
        NotFound: There is none.
    """
    number = st.query_params.get("queue", "")
    if not number:
        return None
    if not (number.isdecimal() and len(number) < 19):
        raise NotFound("there is no such review queue", hint="choose one from the list")
    return space().queues.get(int(number))


def room(queue: QueueRow) -> None:
    """The pair viewer over the whole page."""
    name = person().name
    kept = space().people.settings(name).get("review", {})
    at = st.query_params.get("at", "0")
    pair_viewer(
        queue={
            "id": queue.id,
            "title": shown_title(queue),
            "kind": "" if queue.blind else queue.kind,
            "items": queue.items,
            "blind": queue.blind,
            "rulings_wanted": queue.rulings_wanted,
        },
        at=min(int(at), queue.items - 1) if at.isdecimal() and len(at) < 10 else 0,
        person=name,
        workspace=workspace_mark(),
        token=api_token(person()),
        keys=kept.get("keys", {}),
        blind=bool(kept.get("blind", False)),
        key=f"viewer-{queue.id}-{name}",
    )


def set_closed(queue: QueueRow, on: bool) -> None:
    """Close one's own queue, or open it again."""
    space().close_queue(queue, on)


def queues_list(queues: list[QueueRow]) -> None:
    """Every queue with how far it is; closed ones folded below."""
    away = [queue for queue in queues if queue.closed]
    here = [queue for queue in queues if not queue.closed]
    if not queues:
        empty("No queues yet", "A queue is what you review in one go. Make the first one beside.")
    elif not here:
        empty("No open queues", "All of them are closed. Make another one beside.")
    for queue in here:
        queue_card(queue)
    if away:
        with st.expander(f"Closed ({len(away)})"):
            for queue in away:
                queue_card(queue)


def queue_card(queue: QueueRow) -> None:
    """One queue, with what can be done with it."""
    with st.container(border=True, gap="xsmall"):
        left, right = st.columns([4, 1], vertical_alignment="center")
        with left.container(gap="xsmall"):
            st.markdown(f"**{md(shown_title(queue, person().name), 120)}**")
            st.caption(f"{queue_state(queue)} · by {md(queue.created_by)}")
            st.progress(min(1.0, queue.done / queue.items))
        with right.container(gap="xsmall"):
            if i_may(Operation.RULE) and st.button("Open", key=f"open_{queue.id}", width="stretch"):
                open_queue(queue)
            if queue.created_by == person().name and i_may(Operation.CLOSE_QUEUE):
                st.button(
                    "Reopen" if queue.closed else "Close",
                    key=f"close_{queue.id}",
                    width="stretch",
                    type="tertiary",
                    help=None if queue.closed else "Out of the list for everybody; its rulings stay.",
                    on_click=set_closed,
                    args=(queue, not queue.closed),
                )


def choose() -> None:
    """The list of queues, and the form for a new one."""
    runs = space().runs.list()
    if not runs:
        empty(
            "Nothing to review yet",
            "Predictions come from a run; then they can be reviewed here.",
            link=("pages/overview.py", "Start on the overview"),
        )
        return
    left, right = st.columns([3, 2], gap="medium")
    with right, errors_shown():
        made = new_queue(space(), runs)
        if made is not None:
            open_queue(made)
    with left:
        queues_list(space().queues.newest())


inside = bool(st.query_params.get("queue"))
with page(None if inside else "Review"):
    if not i_may(Operation.RULE):
        st.info("Nobody can rule here now. Browse shows every prediction.")
        queues_list(space().queues.newest())
    elif ask_name():
        queue = None
        with errors_shown():
            queue = asked_for()
        if queue is None:
            choose()
        else:
            room(queue)
