"""What this room needs of the table of jobs. ``store.jobs.Jobs`` is one."""

from __future__ import annotations

from typing import Protocol

from backend.domain.jobs import Job, JobStatus
from backend.hints import Hint


class JobTable(Protocol):
    """The rows of the jobs, shared by every process of a workspace."""

    def list(self, *statuses: JobStatus) -> list[Job]:
        """The jobs in these states (all, when none is named), oldest first."""

    def mark_starting(self, job_id: int, host: str) -> bool:
        """Take a queued job; false when somebody else took or cancelled it."""

    def set_process(self, job_id: int, pid: int, pid_started: float) -> bool:
        """Record the process of a job that is starting; false when the job is not ours any more."""

    def heartbeat(self, job_id: int, pid: int) -> bool:
        """Say that the owner lives; false when it must stop."""

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
        """Record how a job ended; false when that was decided already."""

    def reachable_s(self) -> float:
        """Seconds for which this table could be written without a break, as far as is known here."""
