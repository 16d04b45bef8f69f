"""What a background job is, and which states it may pass through.

::

    queued ──► starting ──► running ──► finished
       ▲           │           ├──────► failed ──────┐
       │           └───────────┼──────► cancelled ───┤
       │                       └──────► interrupted ─┤
       └──────────────── resumed ◄───────────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from backend.hints import Hint


class JobStatus(StrEnum):
    """Where a job stands. ``interrupted``: its process is gone and never said why."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ACTIVE = frozenset({JobStatus.STARTING, JobStatus.RUNNING})
"""A process exists, or is about to."""

OPEN = ACTIVE | {JobStatus.QUEUED}
"""Something is still to be done."""

EXIT_UNAVAILABLE = 75
"""With this code (EX_TEMPFAIL) a job's process ends when it could wait no longer for the database, into
which it could not say so: it is interrupted, and can be resumed."""

_CUT_OFF = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.INTERRUPTED})

RESUMABLE = _CUT_OFF | {JobStatus.FINISHED}

_ENDS = RESUMABLE

TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        # To running at once when somebody starts the worker by hand; to failed when the command
        # cannot even be started.
        JobStatus.QUEUED: frozenset({JobStatus.STARTING, JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED}),
        JobStatus.STARTING: _ENDS | {JobStatus.RUNNING},
        JobStatus.RUNNING: _ENDS,
        # A finished run can have pairs that failed; they are tried again by resuming it.
        JobStatus.FINISHED: frozenset({JobStatus.QUEUED}),
        **dict.fromkeys(_CUT_OFF, frozenset({JobStatus.QUEUED})),
    }
)


def can_move(before: JobStatus, after: JobStatus) -> bool:
    """Whether a job may go from one state to the other in one step."""
    return after in TRANSITIONS[before]


def attempt_s(
    status: JobStatus, started_at: float | None, heartbeat_at: float | None, finished_at: float | None
) -> float:
    """Seconds that one ended attempt of a job worked; 0 for one that never began.

    What did not end well ended at its last sign of life: that it was dead may have been noticed hours
    later, by the next command.
    """
    if started_at is None or finished_at is None:
        return 0.0
    noticed = status != JobStatus.FINISHED and heartbeat_at is not None
    return max(0.0, (heartbeat_at if noticed and heartbeat_at else finished_at) - started_at)


def took_s(
    status: str,
    started_at: float | None,
    heartbeat_at: float | None,
    finished_at: float | None,
    earlier_s: float | None,
) -> float | None:
    """Seconds that an ended job worked, in all of its attempts; the time between them is not counted.

    Args:
        earlier_s: What its attempts before the newest one worked.

    Returns:
        ``None`` where it has not ended, never began, or earlier attempts are not known.
    """
    if earlier_s is None or status not in _ENDS:
        return None
    whole = earlier_s + attempt_s(JobStatus(status), started_at, heartbeat_at, finished_at)
    return whole if started_at is not None or earlier_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One background process, as the store knows it. Times are UTC seconds since the epoch."""

    id: int
    kind: str
    status: JobStatus
    argv: tuple[str, ...]
    env: Mapping[str, str]
    devices: str
    log_path: str
    pid: int | None
    pid_started: float | None
    host: str | None
    heartbeat_at: float | None
    attempt: int
    cancel_requested: bool
    exit_code: int | None
    error: str | None
    hint: Hint | str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    earlier_s: float | None
