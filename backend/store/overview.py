"""The numbers of the overview: the loop as a whole, and what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from backend.domain.jobs import JobStatus
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.schema import curated_sets, datasets, failures, jobs, reviews, runs, set_items, trainings, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much has come how far. ``in_sets`` is what the newest versions of all sets hold, ``trained``
    what every set holds that a finished training has used; a prediction in several of them is one."""

    pairs: int
    predictions: int
    accepted: int
    reviewed: int
    in_sets: int
    trained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for a person.

    Attributes:
        unjudged: Names of datasets that no run has judged.
        conflicts: Names of datasets whose file contradicts itself, with how often.
        missing: Names of datasets with media that are missing or unreadable, with how many pairs.
        failures: Ids of ended runs with pairs that failed, with how many.
        flagged: Predictions that somebody flagged and nobody has settled.
        untrained: Names of frozen sets no training has used.
    """

    unjudged: tuple[str, ...]
    conflicts: tuple[tuple[str, int], ...]
    missing: tuple[tuple[str, int], ...]
    failures: tuple[tuple[int, int], ...]
    flagged: int
    untrained: tuple[str, ...]


class Overview:
    """Reads what the overview shows; by indexes and small tables alone, but for :meth:`rows_in`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def pairs(self) -> int:
        """Pairs in all datasets."""
        with self._db.read() as connection:
            return _pairs(connection)

    def set_groups(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Ids of the newest version of each set, and of the sets that finished trainings have used."""
        with self._db.read() as connection:
            return tuple(sorted(_newest_sets(connection).values())), tuple(sorted(_trained(connection)))

    def rows_in(self, set_ids: Sequence[int]) -> int:
        """Different predictions in these sets. Looks at each of their items; sets never change."""
        query = select(func.count(set_items.c.prediction_id.distinct())).where(set_items.c.set_id.in_(set_ids))
        with self._db.read() as connection:
            return int(connection.execute(query).scalar_one())

    def loop(self, *, predictions: int, accepted: int, in_sets: int, trained: int) -> Totals:
        """The funnel, given what all runs together count, and :meth:`rows_in` of both groups."""
        with self._db.read() as connection:
            return Totals(
                pairs=_pairs(connection),
                predictions=predictions,
                accepted=accepted,
                reviewed=_reviewed(connection),
                in_sets=in_sets,
                trained=trained,
            )

    def waiting(self) -> Waiting:
        """What a person could do next."""
        stored = [row for row in Datasets(self._db).list() if row.status == "ready"]
        with self._db.read() as connection:
            judged = set(connection.execute(select(runs.c.dataset_id).distinct()).scalars())
            sets, trained = _newest_sets(connection), _trained(connection)
            return Waiting(
                unjudged=tuple(row.name for row in stored if row.id not in judged),
                conflicts=tuple((row.name, row.counts["conflicts"]) for row in stored if row.counts.get("conflicts")),
                missing=tuple((row.name, row.unusable) for row in stored if row.unusable),
                failures=_failures(connection),
                flagged=_ruled(connection, "flag"),
                untrained=tuple(name for name, number in sets.items() if number not in trained),
            )


def _pairs(connection: Connection) -> int:
    counts = connection.execute(select(datasets.c.counts)).scalars()
    return sum(int(row.get("pairs", 0)) for row in counts)


def _reviewed(connection: Connection) -> int:
    """Predictions with a ruling that stands; there are far fewer reviews than predictions."""
    query = select(func.count()).where(
        verdicts.c.prediction_id.in_(select(reviews.c.prediction_id)), verdicts.c.ruling.is_not(None)
    )
    return int(connection.execute(query).scalar_one())


def _ruled(connection: Connection, ruling: str) -> int:
    named = select(reviews.c.prediction_id).where(reviews.c.ruling == ruling)
    query = select(func.count()).where(verdicts.c.prediction_id.in_(named), verdicts.c.ruling == ruling)
    return int(connection.execute(query).scalar_one())


def _newest_sets(connection: Connection) -> dict[str, int]:
    """Name to id of the newest frozen version."""
    rows: Any = connection.execute(
        select(curated_sets.c.name, curated_sets.c.id)
        .where(curated_sets.c.status == "frozen")
        .order_by(curated_sets.c.name, curated_sets.c.version)
    )
    return {name: int(number) for name, number in rows}


def _trained(connection: Connection) -> set[int]:
    """Ids of the sets that finished trainings have used."""
    rows = connection.execute(
        select(trainings.c.sets)
        .join(jobs, jobs.c.id == trainings.c.job_id)
        .where(jobs.c.status == JobStatus.FINISHED.value)
    ).scalars()
    return {int(one["id"]) for row in rows for one in row.get("sets", []) if "id" in one}


def _failures(connection: Connection) -> tuple[tuple[int, int], ...]:
    rows = connection.execute(
        select(failures.c.run_id, func.count())
        .join(runs, runs.c.id == failures.c.run_id)
        .join(jobs, jobs.c.id == runs.c.job_id)
        .where(jobs.c.status == JobStatus.FINISHED.value)
        .group_by(failures.c.run_id)
        .order_by(failures.c.run_id)
    )
    return tuple((int(run), int(count)) for run, count in rows)
