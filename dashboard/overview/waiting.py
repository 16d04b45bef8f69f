"""What needs a person next, each with the link that leads there."""

from __future__ import annotations

import streamlit as st

from backend.curation.kinds.audits import ACCEPTED
from backend.domain.jobs import JobStatus
from backend.store.overview import Totals, Waiting
from backend.store.queues import QueueRow
from backend.store.runs import RunRow
from dashboard.models import model_name
from dashboard.navigation import page_link
from dashboard.numbers import many
from dashboard.queue_form import queue_state, shown_title
from dashboard.text import clean, md

Item = tuple[str, str, str, dict[str, str]]
"""What there is, the link's words, its page, its query."""
_MOST = 9
_MOST_QUEUES = 3


def needs_a_person(waiting: Waiting, loop: Totals, runs: list[RunRow], queues: list[QueueRow]) -> None:
    """Draw the list, most pressing first. Of ``queues``, those that are open are work."""
    st.markdown("**Next for a person**")
    items = _items(waiting, loop, runs, [queue for queue in queues if queue.open])
    if not items:
        st.caption("Nothing waits for you.")
    for text, words, page, query in items[:_MOST]:
        with st.container(gap=None):
            st.markdown(text)
            page_link(page, words, **query)


def _items(waiting: Waiting, loop: Totals, runs: list[RunRow], unfinished: list[QueueRow]) -> list[Item]:
    items: list[Item] = []
    for run in reversed(runs):
        if run.status in (JobStatus.FAILED, JobStatus.INTERRUPTED):
            items.append(
                (
                    f"Run {run.id} ({md(model_name(run.model, 40))}) {run.status}",
                    "See why",
                    "runs",
                    {"run": str(run.id), "tab": "log"},
                )
            )
    for run_id, count in waiting.failures:
        items.append((f"{many(count, 'prediction')} of run {run_id} failed", "Look", "runs", {"run": str(run_id)}))
    for queue in unfinished[:_MOST_QUEUES]:
        items.append(
            (f"{md(shown_title(queue), 80)}: {queue_state(queue)}", "Go on", "review", {"queue": str(queue.id)})
        )
    if waiting.flagged:
        items.append(
            (f"{many(waiting.flagged, 'prediction')} flagged and not settled", "Settle", "browse", {"ruling": "flag"})
        )
    for name in waiting.unjudged:
        items.append((f"{md(name, 60)} has not been judged", "Start a run", "runs", {"new": "1", "dataset": name}))
    for name, count in waiting.conflicts:
        items.append(
            (
                f"{md(name, 60)} contradicts itself in {many(count, 'row')}",
                "Look",
                "datasets",
                {"name": name, "filter": "conflicts"},
            )
        )
    for name, count in waiting.missing:
        items.append(
            (
                f"{md(name, 60)} lacks media of {many(count, 'pair')}",
                "Look",
                "datasets",
                {"name": name, "filter": "missing"},
            )
        )
    if loop.accepted and not loop.reviewed:
        items.append(
            (
                f"{many(loop.accepted, 'prediction')} accepted, none reviewed",
                "Review a sample",
                "review",
                {"kind": ACCEPTED.name},
            )
        )
    if loop.accepted and not loop.in_sets:
        items.append(("Nothing is in a set yet", "Curate", "curate", {}))
    for name in waiting.untrained:
        items.append(
            (
                f"Set {md(clean(name), 60)} is frozen and no training has used it",
                "Train",
                "training",
                {"new": "1", "set": name},
            )
        )
    return items
