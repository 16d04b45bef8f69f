"""What every run counts: read again where it may have changed, kept where it cannot have.

Counting a million predictions takes half a second, and half a minute while the database is not yet in
the machine's memory. A run that has ended changes by a ruling, another policy or a resume; each
leaves a trace in a row that is read at once.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import partial

from backend.domain.jobs import OPEN
from backend.inference.progress import RunCounts, run_counts
from backend.store.database import Database
from backend.store.overview import Overview
from backend.store.reviews import Reviews
from backend.store.runs import RunRow, Runs
from dashboard import background

History = list[tuple[RunRow, RunCounts]]

_kept: dict[tuple[str, int], tuple[Hashable, RunCounts]] = {}


def counted(database: Database, runs: list[RunRow]) -> History | None:
    """Every run with its numbers; ``None``, and a free place, while they are being counted."""
    newest = Reviews(database).newest()
    states = {run.id: _state(run, newest.get(run.id, 0)) for run in runs}
    key = ("runs counted", str(database.url), tuple(states.items()))
    found = background.ready(
        key, partial(_count, database, runs, states), words="Counting", height=160
    )
    if found is None:
        return None
    if any(run.status in OPEN for run in runs):
        background.forget(key)
    return [(run, found[run.id]) for run in runs]


def rows_in_sets(database: Database) -> tuple[int, int] | None:
    """Different rows in the newest sets, and in those trained on; ``None`` while they are counted."""
    overview = Overview(database)
    newest, trained = groups = overview.set_groups()
    return background.ready(
        ("rows in sets", str(database.url), groups),
        lambda: (overview.rows_in(newest), overview.rows_in(trained)),
        words="Counting",
        height=160,
    )


def _state(run: RunRow, newest_review: int) -> Hashable:
    """Equal for equal numbers, as long as the run is not open."""
    return (
        run.status,
        run.finished_at,
        run.total,
        newest_review,
        json.dumps([run.policy, run.progress], sort_keys=True),
    )


def _count(
    database: Database, runs: list[RunRow], states: dict[int, Hashable]
) -> dict[int, RunCounts]:
    found = {}
    for run in runs:
        place, state = (str(database.url), run.id), states[run.id]
        kept = _kept.get(place)
        if kept is None or kept[0] != state or run.status in OPEN:
            kept = (state, run_counts(Runs(database).counts(run.id), run.policy))
            _kept[place] = kept
        found[run.id] = kept[1]
    return found
