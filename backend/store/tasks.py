"""Tasks: what people start besides runs and trainings. One row each; their process is in ``jobs``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from backend.domain.jobs import OPEN, JobStatus
from backend.errors import NotFound
from backend.hints import Hint
from backend.store.database import Database
from backend.store.schema import jobs, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task, with the state of its job.

    Attributes:
        operation: Name of an :class:`~backend.domain.operations.Operation`.
        title: What it is done to, for a person.
        person: In whose name.
        progress: ``done`` of ``total``, and the last ``lines`` that it said; each may be missing.
        result: What it gave, once it finished.
    """

    id: int
    job_id: int
    operation: str
    title: str
    arguments: dict[str, Any]
    person: str
    progress: dict[str, Any]
    result: dict[str, Any] | None
    created_at: float
    status: str
    error: str | None
    hint: Hint | str | None
    log_path: str

    @property
    def is_open(self) -> bool:
        """Something of it is still to be done."""
        return self.status in OPEN

    @property
    def finished(self) -> bool:
        """It was done to its end."""
        return self.status == JobStatus.FINISHED


class Tasks:
    """The tasks of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self, connection: Connection, *, operation: str, title: str, arguments: Mapping[str, Any], person: str
    ) -> int:
        """Insert a task inside the caller's transaction; returns its id."""
        result = connection.execute(
            insert(tasks).values(
                operation=operation,
                title=title,
                arguments=dict(arguments),
                person=person,
                progress={},
                put_away=False,
                created_at=time.time(),
            )
        )
        key: tuple[Any, ...] = tuple(result.inserted_primary_key or ())
        return int(key[0])

    def set_job(self, connection: Connection, task_id: int, job_id: int) -> None:
        """Give a task its process."""
        connection.execute(update(tasks).where(tasks.c.id == task_id).values(job_id=job_id))

    def get(self, task_id: int) -> TaskRow:
        """One task.

        Raises:
            NotFound: There is no such task.
        """
        with self._db.read() as connection:
            row = connection.execute(_select().where(tasks.c.id == task_id)).first()
        if row is None:
            raise NotFound(f"there is no task {task_id}")
        return _task(row)

    def list(self, *operations: str) -> list[TaskRow]:
        """The tasks of these operations (of any, when none is named) whose end nobody has seen, oldest first."""
        query = _select().where(tasks.c.put_away.is_(False)).order_by(tasks.c.id)
        if operations:
            query = query.where(tasks.c.operation.in_(operations))
        with self._db.read() as connection:
            return [_task(row) for row in connection.execute(query)]

    def set_progress(self, task_id: int, progress: Mapping[str, Any]) -> None:
        """Replace what is known of how far it is."""
        self._set(task_id, progress=dict(progress))

    def set_result(self, task_id: int, result: Mapping[str, Any]) -> None:
        """Keep what it gave."""
        self._set(task_id, result=dict(result))

    def put_away(self, task_id: int) -> None:
        """Take a task off the list: its end has been seen."""
        self._set(task_id, put_away=True)

    def _set(self, task_id: int, **values: Any) -> None:
        with self._db.write() as connection:
            connection.execute(update(tasks).where(tasks.c.id == task_id).values(**values))


def _select() -> Any:
    own = [column for column in tasks.c if column.name != "put_away"]
    return select(*own, jobs.c.status, jobs.c.error, jobs.c.hint, jobs.c.log_path).join(
        jobs, jobs.c.id == tasks.c.job_id
    )


def _task(row: Row[Any]) -> TaskRow:
    return TaskRow(**row._mapping)
