"""Runs: one row each; their process, where they have one, is in ``jobs``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from backend.domain.reading import READER
from backend.errors import NotFound
from backend.hints import Hint
from backend.store.database import Database
from backend.store.jobs import with_took
from backend.store.schema import datasets, failures, jobs, predictions, runs, verdicts
from backend.store.unfinished import read_mark

NATS = "nats_per_token"
"""In a run's progress: what a token of its texts cost the judge that wrote it; ``None`` when unknown."""

NOTICE = "notice"
"""In a run's progress: what a person should know of it now, such as that its engine is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run, with the state of its job; ``took_s`` is of all its attempts. An imported run has no job:
    it is ``finished``, or ``interrupted`` when its import was cut off."""

    id: int
    job_id: int | None
    dataset_id: int
    dataset: str
    model: str
    engine: str
    spec: dict[str, Any]
    policy: dict[str, Any]
    total: int
    progress: dict[str, Any]
    status: str
    error: str | None
    hint: Hint | str | None
    log_path: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    took_s: float | None
    reader: int = READER

    @property
    def read_by_older(self) -> bool:
        """Its texts were read by an older reading than this version's."""
        return self.reader < READER


_COLUMNS = (
    runs,
    datasets.c.name.label("dataset"),
    jobs.c.status,
    jobs.c.error,
    jobs.c.hint,
    jobs.c.log_path,
    jobs.c.started_at,
    jobs.c.finished_at,
    jobs.c.heartbeat_at,
    jobs.c.earlier_s,
)


class Runs:
    """The runs of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        connection: Connection,
        *,
        dataset_id: int,
        model: str,
        engine: str,
        spec: Mapping[str, Any],
        policy: Mapping[str, Any],
        total: int,
        job_id: int | None,
        progress: Mapping[str, Any] | None = None,
    ) -> int:
        """Insert a run inside the caller's transaction; returns its id."""
        result = connection.execute(
            insert(runs).values(
                job_id=job_id,
                dataset_id=dataset_id,
                model=model,
                engine=engine,
                spec=dict(spec),
                policy=dict(policy),
                total=total,
                progress=dict(progress or {}),
                created_at=time.time(),
                reader=READER,
            )
        )
        key: tuple[Any, ...] = tuple(result.inserted_primary_key or ())
        return int(key[0])

    def find_import(self, connection: Connection, dataset_id: int, identity: str) -> tuple[int, dict[str, Any]] | None:
        """Id and progress of the run that an import of this identity made."""
        query = select(runs.c.id, runs.c.progress).where(runs.c.dataset_id == dataset_id, runs.c.job_id.is_(None))
        for row in connection.execute(query):
            if row.progress.get("imported") == identity:
                return int(row.id), row.progress
        return None

    def set_job(self, connection: Connection, run_id: int, job_id: int) -> None:
        """Give a run its process."""
        connection.execute(update(runs).where(runs.c.id == run_id).values(job_id=job_id))

    def get(self, run_id: int) -> RunRow:
        """One run.

        Raises:
            NotFound: There is no such run.
        """
        with self._db.read() as connection:
            row = connection.execute(_select().where(runs.c.id == run_id)).first()
        if row is None:
            raise NotFound(f"there is no run {run_id}", hint=Hint("{LIST_RUNS} shows the runs"))
        return _run(row)

    def list(self) -> list[RunRow]:
        """All runs, oldest first."""
        with self._db.read() as connection:
            return [_run(row) for row in connection.execute(_select().order_by(runs.c.id))]

    def set_progress(self, connection: Connection, run_id: int, progress: Mapping[str, Any]) -> None:
        """Replace the live rates; the counts themselves are read from the predictions."""
        connection.execute(update(runs).where(runs.c.id == run_id).values(progress=dict(progress)))

    def say(self, run_id: int, notice: str | None) -> None:
        """Say something in a run's progress until its next predictions replace it."""
        with self._db.write() as connection:
            progress = connection.execute(select(runs.c.progress).where(runs.c.id == run_id)).scalar_one()
            kept = {name: value for name, value in progress.items() if name != NOTICE}
            self.set_progress(connection, run_id, {**kept, NOTICE: notice} if notice else kept)

    def counts(self, run_id: int) -> dict[str, Any]:
        """Done, failed, accepted and rejected, and rejected by reason. By indexes alone."""
        with self._db.read() as connection:
            reasons = connection.execute(
                select(verdicts.c.decision, verdicts.c.reason, func.count())
                .where(verdicts.c.run_id == run_id)
                .group_by(verdicts.c.decision, verdicts.c.reason)
            ).all()
            effective = connection.execute(
                select(func.count())
                .select_from(verdicts)
                .where(verdicts.c.run_id == run_id, verdicts.c.effective == "accepted")
            ).scalar_one()
            failed = connection.execute(
                select(func.count()).select_from(failures).where(failures.c.run_id == run_id)
            ).scalar_one()
            total = connection.execute(select(runs.c.total).where(runs.c.id == run_id)).scalar_one()
        accepted = sum(count for decision, _, count in reasons if decision == "accepted")
        rejected = {reason: count for decision, reason, count in reasons if decision == "rejected"}
        return {
            "total": total,
            "done": accepted + sum(rejected.values()),
            "failed": failed,
            "accepted": accepted,
            "rejected": sum(rejected.values()),
            "rejected_by_reason": rejected,
            "effective_accepted": effective,
        }

    def prediction_count(self, run_id: int) -> int:
        """How many predictions the run holds."""
        with self._db.read() as connection:
            query = select(func.count()).select_from(predictions)
            return connection.execute(query.where(predictions.c.run_id == run_id)).scalar_one()


def _select() -> Any:
    return select(*_COLUMNS).select_from(
        runs.join(datasets, datasets.c.id == runs.c.dataset_id).outerjoin(jobs, jobs.c.id == runs.c.job_id)
    )


def _run(row: Row[Any]) -> RunRow:
    values = dict(row._mapping)
    if values["job_id"] is None:
        mark = read_mark(values["progress"])
        values["status"] = "finished"
        if mark and mark.what == "importing":
            values["status"] = "interrupted" if mark.abandoned else "running"
            values["hint"] = "import the same file again: it goes on where it was cut off"
    with_took(values)
    return RunRow(**values)
