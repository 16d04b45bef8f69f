"""Jobs: the rows of background processes. Every change of state goes through here.

Each method is one short write transaction, so that the dashboard, the command, the supervisor and
the workers, which all write here, agree on who owns a job.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from backend.domain.jobs import ACTIVE, OPEN, RESUMABLE, Job, JobStatus, attempt_s, can_move, took_s
from backend.errors import NotFound, RunError
from backend.hints import Hint
from backend.store.database import Database
from backend.store.schema import jobs

_OF_ATTEMPT = ("pid", "pid_started", "host", "heartbeat_at", "exit_code", "error", "hint", "started_at", "finished_at")


class Jobs:
    """The jobs of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        kind: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        devices: str,
        log_path: Path | str,
        *,
        connection: Connection | None = None,
    ) -> int:
        """Queue a job; returns its id.

        Args:
            kind: ``run``, ``training`` or ``task``.
            argv: The command. It is started in the workspace's folder, so its paths are absolute.
            env: Variables to add to the environment.
            devices: The device set, see :mod:`backend.jobs.devices`.
            log_path: Where its output goes.
            connection: The caller's transaction, so that a run and its job are committed together.
        """
        with self._writing(connection) as within:
            result = within.execute(
                insert(jobs).values(
                    kind=kind,
                    status=JobStatus.QUEUED.value,
                    argv={"argv": list(argv)},
                    env=dict(env),
                    devices=devices,
                    log_path=str(log_path),
                    attempt=1,
                    cancel_requested=False,
                    created_at=time.time(),
                )
            )
            key: tuple[Any, ...] = tuple(result.inserted_primary_key or ())
            return int(key[0])

    def get(self, job_id: int) -> Job:
        """One job.

        Raises:
            NotFound: There is no such job.
        """
        with self._db.read() as connection:
            return _get(connection, job_id)

    def list(self, *statuses: JobStatus) -> list[Job]:
        """The jobs in these states (all, when none is named), oldest first."""
        query = select(jobs).order_by(jobs.c.id)
        if statuses:
            query = query.where(jobs.c.status.in_([status.value for status in statuses]))
        with self._db.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def mark_starting(self, job_id: int, host: str) -> bool:
        """Take a queued job, before its process exists; false when it is not queued any more."""
        with self._db.write() as connection:
            job = _get(connection, job_id)
            if job.status is not JobStatus.QUEUED:
                return False
            _set(connection, job, JobStatus.STARTING, host=host, started_at=time.time())
            return True

    def set_process(self, job_id: int, pid: int, pid_started: float) -> bool:
        """Record the process of a job; false when the job belongs to another process by now.

        The worker may have been quicker, have claimed the job itself, and even have finished it.
        """
        with self._db.write() as connection:
            job = _get(connection, job_id)
            if job.pid == pid:
                return True
            if job.pid is not None or job.status is not JobStatus.STARTING:
                return False
            _set(connection, job, None, pid=pid, pid_started=pid_started)
            return True

    def claim(self, job_id: int, pid: int, pid_started: float, host: str) -> Job:
        """A worker says that it runs this job. To say it twice is harmless.

        Returns:
            The job, running.

        Raises:
            RunError: The job has an owner, or is not there to be run.
            NotFound: There is no such job.
        """
        with self._db.write() as connection:
            job = _get(connection, job_id)
            mine = job.pid == pid and job.host == host
            if job.status is JobStatus.RUNNING and mine:
                return job
            if job.status in ACTIVE and job.pid is not None and not mine:
                raise RunError(
                    f"job {job_id} already has a worker: process {job.pid} on {job.host}",
                    hint="cancel it first, or wait until it has ended",
                )
            if job.status not in (JobStatus.QUEUED, JobStatus.STARTING):
                raise RunError(f"job {job_id} is {job.status}, a worker cannot take it", hint="resume it first")
            now = time.time()
            _set(
                connection,
                job,
                JobStatus.RUNNING,
                pid=pid,
                pid_started=pid_started,
                host=host,
                heartbeat_at=now,
                started_at=job.started_at or now,
            )
            return _get(connection, job_id)

    def heartbeat(self, job_id: int, pid: int) -> bool:
        """Say that the owner lives; false when it must stop: cancelled, or no longer the owner."""
        with self._db.write() as connection:
            result = connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.pid == pid, jobs.c.status == JobStatus.RUNNING.value)
                .values(heartbeat_at=time.time())
                .returning(jobs.c.cancel_requested)
            ).first()
        return result is not None and not result.cancel_requested

    def request_cancel(self, job_id: int) -> JobStatus:
        """Ask for a job to be stopped. A queued one is cancelled at once; to ask twice is harmless.

        Returns:
            Its state now. A starting or running job is cancelled by the supervisor.

        Raises:
            RunError: The job has ended already.
            NotFound: There is no such job.
        """
        with self._db.write() as connection:
            job = _get(connection, job_id)
            if job.status is JobStatus.QUEUED:
                changes = {"cancel_requested": True, "finished_at": time.time()}
                _set(connection, job, JobStatus.CANCELLED, **changes)
                return JobStatus.CANCELLED
            if job.status in ACTIVE:
                _set(connection, job, None, cancel_requested=True)
                return job.status
        if job.status is JobStatus.CANCELLED:
            return job.status
        raise RunError(f"job {job_id} is {job.status} already, there is nothing to cancel")

    def finish(
        self,
        job_id: int,
        status: JobStatus,
        *,
        exit_code: int | None = None,
        error: str | None = None,
        hint: Hint | str | None = None,
        pid: int | None = None,
    ) -> bool:
        """Record how a job ended.

        Args:
            job_id: The job.
            status: ``finished``, ``failed``, ``cancelled`` or ``interrupted``.
            exit_code: Of its process, where it is known; negative for a signal.
            error: One line, for a person.
            hint: What to do about it.
            pid: Whose end this is; nothing happens when the job belongs to another process.

        Returns:
            False when the end was decided already, or belongs to another process.

        Raises:
            RunError: That is no way for a job in its state to end.
            NotFound: There is no such job.
        """
        with self._db.write() as connection:
            job = _get(connection, job_id)
            foreign = pid is not None and job.pid != pid
            if job.status not in OPEN or foreign:
                return False
            _set(connection, job, status, exit_code=exit_code, error=error, hint=hint, finished_at=time.time())
            return True

    def requeue(self, job_id: int, *, connection: Connection | None = None) -> int:
        """Queue an ended job again; returns the number of the new attempt.

        Args:
            connection: The caller's transaction.

        Raises:
            RunError: The job is not failed, cancelled or interrupted.
            NotFound: There is no such job.
        """
        with self._writing(connection) as within:
            job = _get(within, job_id)
            if job.status not in RESUMABLE:
                raise RunError(f"job {job_id} is {job.status}, it cannot be resumed", hint="wait until it has ended")
            attempt = job.attempt + 1
            worked = attempt_s(job.status, job.started_at, job.heartbeat_at, job.finished_at)
            changes = {
                **dict.fromkeys(_OF_ATTEMPT),
                "attempt": attempt,
                "cancel_requested": False,
                "earlier_s": None if job.earlier_s is None else job.earlier_s + worked,
            }
            _set(within, job, JobStatus.QUEUED, **changes)
            return attempt

    def reachable_s(self) -> float:
        """Seconds for which this table could be written without a break, as far as is known here: for
        so long this process has seen it answer, and PostgreSQL's server has been up."""
        if self._db.is_sqlite:
            return self._db.presence.seconds()
        started = func.extract("epoch", func.clock_timestamp() - func.pg_postmaster_start_time())
        with self._db.read() as connection:
            up = float(connection.execute(select(started)).scalar_one())
        return min(up, self._db.presence.seconds())

    @contextmanager
    def _writing(self, connection: Connection | None) -> Iterator[Connection]:
        if connection is not None:
            yield connection
        else:
            with self._db.write() as own:
                yield own


def with_took(values: dict[str, Any]) -> None:
    """Put how long a job worked, ``took_s``, into a row in the place of what it is computed from."""
    values["took_s"] = took_s(
        values["status"],
        values["started_at"],
        values.pop("heartbeat_at"),
        values["finished_at"],
        values.pop("earlier_s"),
    )


def _get(connection: Connection, job_id: int) -> Job:
    query = select(jobs).where(jobs.c.id == job_id)
    if connection.get_execution_options().get("winnow_write"):
        # SQLite has one writer at a time anyway, and leaves this out.
        query = query.with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return _job(row)


def _set(connection: Connection, job: Job, status: JobStatus | None, **values: Any) -> None:
    if status is not None:
        if not can_move(job.status, status):
            raise RunError(f"job {job.id} is {job.status}, it cannot become {status}")
        values["status"] = status.value
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    values["status"] = JobStatus(values["status"])
    values["argv"] = tuple(values["argv"]["argv"])
    return Job(**values)
