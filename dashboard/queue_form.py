"""Making a review queue: four fields, and those of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from backend.curation.queues import NewQueue, QueueKind
from backend.domain.operations import Operation
from backend.domain.reading import Flaw
from backend.store.queues import QueueRow
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.roles import i_may
from dashboard.text import clean
from dashboard.words import spaced


@dataclass(frozen=True, slots=True)
class KindWords:
    """What a kind of queue is called, and what it is for."""

    name: str
    purpose: str


KINDS = {
    QueueKind.UNREVIEWED: KindWords("Unreviewed", "Everything nobody has ruled on, oldest first."),
    QueueKind.AUDIT_ACCEPTED: KindWords(
        "Random audit · accepted", "A random sample measures how precise the accepted set is."
    ),
    QueueKind.AUDIT_REJECTED: KindWords(
        "Random audit · rejected", "A random sample shows what the filter throws away."
    ),
    QueueKind.WIDE_MARGIN: KindWords(
        "Rejected, wide margin", "The judge was sure and contradicts the label; surest first."
    ),
    QueueKind.SUSPECT_LABELS: KindWords(
        "Suspect labels",
        "Samples, orders or runs agree with each other against the recorded preference; each pair says "
        "which. Pairs that somebody has ruled on are left out.",
    ),
    QueueKind.FLAWED: KindWords("Flawed reasoning", "Texts with a flaw that parsing found."),
    QueueKind.FLAGGED: KindWords("Flagged", "Flagged by somebody and not settled since."),
    QueueKind.FILTER: KindWords("From Browse", "What a filter found."),
}


def new_queue(space: Workspace, runs: list[RunRow]) -> QueueRow | None:
    """Draw the form; the queue, when it has just been made."""
    if not i_may(Operation.MAKE_QUEUE):
        return None
    names = {run.id: f"{run.id} · {clean(run.model, 60)}" for run in reversed(runs)}
    choices = [kind for kind in KINDS if kind is not QueueKind.FILTER]
    with st.container(border=True):
        st.subheader("New queue", anchor=False)
        asked = st.query_params.get("kind", "")
        if "queue_kind" not in st.session_state and asked in choices:
            st.session_state["queue_kind"] = QueueKind(asked)
        kind = st.selectbox("What to review", choices, format_func=lambda one: KINDS[one].name, key="queue_kind")
        st.caption(KINDS[kind].purpose)
        chosen = st.multiselect("Runs", list(names), format_func=names.__getitem__, placeholder="All runs")
        options = _options(kind)
        # As wide as their words, and below each other where there is no room: columns cut them.
        with st.container(horizontal=True, gap="medium"):
            blind = st.toggle("Blind", help="Verdict and label stay hidden until one has chosen.")
            two = st.toggle("Two rulings each", help="Two reviewers rule independently; their agreement is measured.")
        if not st.button("Make queue", type="primary"):
            return None
        with st.spinner("Choosing predictions"):
            return space.make_queue(
                NewQueue(
                    kind=kind,
                    title=_title(kind, [run for run in runs if run.id in chosen]),
                    run_ids=tuple(chosen),
                    blind=blind,
                    rulings_wanted=2 if two else 1,
                    **options,
                )
            )


def _options(kind: QueueKind) -> dict[str, Any]:
    if kind in (QueueKind.AUDIT_ACCEPTED, QueueKind.AUDIT_REJECTED):
        left, right = st.columns(2)
        return {
            "size": int(left.number_input("Sample size", 1, 100_000, 200)),
            "seed": int(right.number_input("Seed", 0, 2**31 - 1, 0, help="Draws the same again.")),
        }
    if kind is QueueKind.WIDE_MARGIN:
        return {"margin": float(st.number_input("Margin of at least", 0.0, 100.0, 3.0, 0.5))}
    if kind is QueueKind.SUSPECT_LABELS:
        left, right = st.columns(2)
        return {
            "votes": int(left.number_input("Readable answers, at least", 2, 100, 2)),
            "agreement": right.number_input("Share against the label, %", 51, 100, 100) / 100,
        }
    if kind is QueueKind.FLAWED:
        flaws = st.multiselect("Flaws", list(Flaw), format_func=spaced, placeholder="Any flaw")
        return {"flaws": tuple(flaws)}
    return {}


def _title(kind: QueueKind, runs: list[RunRow]) -> str:
    models = ", ".join(run.model.rstrip("/").rsplit("/", 1)[-1] for run in runs[:3])
    return f"{KINDS[kind].name} of {models or 'all runs'}"


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
