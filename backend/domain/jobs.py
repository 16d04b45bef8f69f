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

_CUT_OFF = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.INTERRUPTED})

RESUMABLE = _CUT_OFF | {JobStatus.FINISHED}

_ENDS = RESUMABLE

TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        # To running at once when somebody starts the worker by hand; to failed when the command
        # cannot even be started.
        JobStatus.QUEUED: frozenset(
            {JobStatus.STARTING, JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED}
        ),
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
    hint: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
