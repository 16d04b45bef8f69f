"""Trainings: one row each; their process is in ``jobs``. And the runs that measure their checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from backend.errors import NotFound
from backend.hints import Hint
from backend.store.database import Database
from backend.store.jobs import with_took
from backend.store.schema import datasets, evaluations, jobs, pairs, predictions, reviews, runs, set_items, trainings

_PAGE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """A training, with the state of its job; ``took_s`` is of all its attempts."""

    id: int
    job_id: int
    trainer: str
    model: str
    output_dir: str
    spec: dict[str, Any]
    sets: list[dict[str, Any]]
    progress: dict[str, Any]
    status: str
    error: str | None
    hint: Hint | str | None
    log_path: str
    devices: str
    attempt: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    took_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """A run that measures a checkpoint."""

    run_id: int
    training_id: int
    checkpoint: str
    dataset: str
    created_at: float


@dataclass(frozen=True, slots=True)
class MediaOfItem:
    """The files behind one item of a set, relative to the data root; and its label."""

    data_root: str
    first_path: str
    second_path: str
    answer: str


_COLUMNS = (
    trainings,
    jobs.c.status,
    jobs.c.error,
    jobs.c.hint,
    jobs.c.log_path,
    jobs.c.devices,
    jobs.c.attempt,
    jobs.c.started_at,
    jobs.c.finished_at,
    jobs.c.heartbeat_at,
    jobs.c.earlier_s,
)


class Trainings:
    """The trainings of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        connection: Connection,
        *,
        trainer: str,
        model: str,
        output_dir: str,
        spec: Mapping[str, Any],
        sets: list[dict[str, Any]],
    ) -> int:
        """Insert a training inside the caller's transaction; returns its id."""
        result = connection.execute(
            insert(trainings).values(
                trainer=trainer,
                model=model,
                output_dir=output_dir,
                spec=dict(spec),
                sets={"sets": sets},
                progress={},
                created_at=time.time(),
            )
        )
        key: tuple[Any, ...] = tuple(result.inserted_primary_key or ())
        return int(key[0])

    def set_job(self, connection: Connection, training_id: int, job_id: int) -> None:
        """Give a training its process."""
        connection.execute(update(trainings).where(trainings.c.id == training_id).values(job_id=job_id))

    def get(self, training_id: int) -> TrainingRow:
        """One training.

        Raises:
            NotFound: There is no such training.
        """
        with self._db.read() as connection:
            row = connection.execute(_select().where(trainings.c.id == training_id)).first()
        if row is None:
            raise NotFound(f"there is no training {training_id}", hint=Hint("{LIST_TRAININGS} shows them"))
        return _training(row)

    def list(self) -> list[TrainingRow]:
        """All trainings, oldest first."""
        with self._db.read() as connection:
            return [_training(row) for row in connection.execute(_select().order_by(trainings.c.id))]

    def set_progress(self, training_id: int, progress: Mapping[str, Any]) -> None:
        """Replace what is known of how far it is."""
        with self._db.write() as connection:
            connection.execute(update(trainings).where(trainings.c.id == training_id).values(progress=dict(progress)))

    def add_evaluation(self, connection: Connection, *, run_id: int, training_id: int, checkpoint: str) -> None:
        """Record that a run measures a checkpoint."""
        connection.execute(insert(evaluations).values(run_id=run_id, training_id=training_id, checkpoint=checkpoint))

    def evaluations(self, training_id: int | None = None) -> Sequence[EvaluationRow]:
        """The runs that measure a training's checkpoints, or all of them, oldest first."""
        query = (
            select(evaluations, datasets.c.name.label("dataset"), runs.c.created_at)
            .join(runs, runs.c.id == evaluations.c.run_id)
            .join(datasets, datasets.c.id == runs.c.dataset_id)
            .order_by(evaluations.c.run_id)
        )
        if training_id is not None:
            query = query.where(evaluations.c.training_id == training_id)
        with self._db.read() as connection:
            return [EvaluationRow(**row._mapping) for row in connection.execute(query)]

    def rulings_behind(self, set_id: int, *, until: float) -> Sequence[tuple[str, int]]:
        """Who ruled on the predictions in a set before it was frozen, and how often.

        Rulings that had been taken back by then are not counted.
        """
        undo = reviews.alias()
        taken_back = select(undo.c.id).where(undo.c.undoes == reviews.c.id, undo.c.created_at <= until).exists()
        query = (
            select(reviews.c.reviewer, func.count())
            .join(set_items, set_items.c.prediction_id == reviews.c.prediction_id)
            .where(
                set_items.c.set_id == set_id,
                reviews.c.created_at <= until,
                reviews.c.ruling.not_in(("undo", "note")),
                ~taken_back,
            )
            .group_by(reviews.c.reviewer)
            .order_by(func.count().desc(), reviews.c.reviewer)
        )
        with self._db.read() as connection:
            return [(str(name), int(count)) for name, count in connection.execute(query)]

    def media_of_set(self, set_id: int) -> Iterator[MediaOfItem]:
        """The files behind each item of a set, without its texts."""
        last = -1
        while True:
            query = (
                select(
                    datasets.c.data_root,
                    pairs.c.first_path,
                    pairs.c.second_path,
                    set_items.c.answer,
                    set_items.c.position,
                )
                .select_from(
                    set_items.join(predictions, predictions.c.id == set_items.c.prediction_id)
                    .join(pairs, pairs.c.id == predictions.c.pair_id)
                    .join(datasets, datasets.c.id == pairs.c.dataset_id)
                )
                .where(set_items.c.set_id == set_id, set_items.c.position > last)
                .order_by(set_items.c.position)
                .limit(_PAGE)
            )
            with self._db.read() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            last = rows[-1].position
            for row in rows:
                yield MediaOfItem(*row[:4])


def _select() -> Any:
    return select(*_COLUMNS).join(jobs, jobs.c.id == trainings.c.job_id)


def _training(row: Row[Any]) -> TrainingRow:
    values = dict(row._mapping)
    values["sets"] = values["sets"]["sets"]
    with_took(values)
    return TrainingRow(**values)
