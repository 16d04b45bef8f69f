"""Making a review queue: four fields, and those of its kind."""

from __future__ import annotations

import streamlit as st

from backend.curation.kinds.base import QueueKind
from backend.curation.kinds.registry import offered
from backend.curation.queues import NewQueue
from backend.domain.operations import Operation
from backend.options import options_of
from backend.store.queues import QueueRow
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.option_fields import field, from_widget, to_widget
from dashboard.roles import i_may
from dashboard.text import clean


def new_queue(space: Workspace, runs: list[RunRow]) -> QueueRow | None:
    """Draw the form; the queue, when it has just been made."""
    if not i_may(Operation.MAKE_QUEUE):
        return None
    names = {run.id: f"{run.id} · {clean(run.model, 60)}" for run in reversed(runs)}
    kinds = offered()
    with st.container(border=True):
        st.subheader("New queue", anchor=False)
        asked = st.query_params.get("kind", "")
        if "queue_kind" not in st.session_state and asked in kinds:
            st.session_state["queue_kind"] = asked
        kind = kinds[
            st.selectbox("What to review", list(kinds), format_func=lambda one: kinds[one].label, key="queue_kind")
        ]
        st.caption(kind.purpose)
        chosen = st.multiselect("Runs", list(names), format_func=names.__getitem__, placeholder="All runs")
        options, prefix = options_of(kind.options).values(), f"queue_{kind.name}_"
        for option in options:
            st.session_state.setdefault(prefix + option.name, to_widget(option, option.default))
            field(option, prefix, brief=True)
        # As wide as their words, and below each other where there is no room: columns cut them.
        with st.container(horizontal=True, gap="medium"):
            blind = st.toggle("Blind", help="Verdict and label stay hidden until one has chosen.")
            two = st.toggle("Two rulings each", help="Two reviewers rule independently; their agreement is measured.")
        if not st.button("Make queue", type="primary"):
            return None
        with st.spinner("Choosing predictions"):
            return space.make_queue(
                NewQueue(
                    kind=kind.name,
                    title=_title(kind, [run for run in runs if run.id in chosen]),
                    run_ids=tuple(chosen),
                    blind=blind,
                    rulings_wanted=2 if two else 1,
                    options={option.name: from_widget(option, prefix) for option in options},
                )
            )


def _title(kind: QueueKind, runs: list[RunRow]) -> str:
    models = ", ".join(run.model.rstrip("/").rsplit("/", 1)[-1] for run in runs[:3])
    return f"{kind.label} of {models or 'all runs'}"


def queue_state(queue: QueueRow) -> str:
    """How far a queue is, and its settings, in a few words."""
    extras = [
        word
        for word, on in (
            ("blind", queue.blind),
            ("two rulings each", queue.rulings_wanted > 1),
            ("cut off", bool(queue.spec.get("cut_off"))),
        )
        if on
    ]
    return " · ".join([f"{queue.done:,} of {queue.items:,} done", *extras])


def shown_title(queue: QueueRow, reader: str | None = None) -> str:
    """What a queue is called.

    What a blind one was made of (the rejected, say) would tell the verdict of all its items: only
    its maker reads that, in the list of queues, where ``reader`` is given.
    """
    if queue.blind and reader != queue.created_by:
        return f"Blind review {queue.id}"
    return queue.title
