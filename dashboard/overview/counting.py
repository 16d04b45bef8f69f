"""What every run counts: read again where it may have changed, kept where it cannot have.

Counting a million predictions takes half a second, and half a minute while the database is not yet in
the machine's memory. A run that has ended changes by a ruling, another policy or a resume; each
leaves a trace in a row that is read at once.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass

from backend.domain.jobs import OPEN
from backend.inference.progress import RunCounts, run_counts
from backend.store.database import Database
from backend.store.overview import Overview
from backend.store.reviews import Reviews
from backend.store.runs import RunRow, Runs
from dashboard import background

History = list[tuple[RunRow, RunCounts]]

_kept: dict[tuple[str, int], tuple[Hashable, RunCounts]] = {}
_rows: dict[tuple[str, tuple[int, ...]], int] = {}


@dataclass(frozen=True, slots=True)
class Counted:
    """Every run with its numbers; and different rows in the newest sets, and in those trained on."""

    history: History
    in_sets: int
    trained: int


def counted(database: Database, runs: list[RunRow]) -> Counted | None:
    """What takes long to count; ``None``, and a free place, while it is being counted."""
    newest = Reviews(database).newest()
    states = {run.id: _state(run, newest.get(run.id, 0)) for run in runs}
    groups = Overview(database).set_groups()
    key = ("overview counted", str(database.url), tuple(states.items()), groups)
    found = background.ready(
        key,
        lambda: (_count(database, runs, states), [_rows_in(database, ids) for ids in groups]),
        words="Counting",
        height=160,
    )
    if found is None:
        return None
    if any(run.status in OPEN for run in runs):
        background.forget(key)
    counts, rows = found
    return Counted([(run, counts[run.id]) for run in runs], *rows)


def _rows_in(database: Database, set_ids: tuple[int, ...]) -> int:
    """Different rows in these sets, which never change."""
    place = (str(database.url), set_ids)
    if place not in _rows:
        _rows[place] = Overview(database).rows_in(set_ids)
    return _rows[place]


def _state(run: RunRow, newest_review: int) -> Hashable:
    """Equal for equal numbers, as long as the run is not open."""
    return (
        run.status,
        run.finished_at,
        run.total,
        newest_review,
        json.dumps([run.policy, run.progress], sort_keys=True),
    )


def _count(database: Database, runs: list[RunRow], states: dict[int, Hashable]) -> dict[int, RunCounts]:
    found = {}
    for run in runs:
        place, state = (str(database.url), run.id), states[run.id]
        kept = _kept.get(place)
        if kept is None or kept[0] != state or run.status in OPEN:
            kept = (state, run_counts(Runs(database).counts(run.id), run.policy))
            _kept[place] = kept
        found[run.id] = kept[1]
    return found
