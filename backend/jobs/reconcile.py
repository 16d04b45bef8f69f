"""Finding jobs whose process is gone, and saying so in their rows."""

from __future__ import annotations

import logging
import math
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from backend.domain.jobs import ACTIVE, EXIT_UNAVAILABLE, Job, JobStatus
from backend.foreign_text import brief
from backend.hints import Hint
from backend.jobs.lock import SupervisorLock
from backend.jobs.marks import mark_of
from backend.jobs.processes import is_alive, pid_exists, reap, stop_group, stop_marked
from backend.jobs.table import JobTable

log = logging.getLogger(__name__)

_RESUME = "resume it: nothing that was committed is lost"
_LOG_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: JobStatus
    error: str | None = None
    hint: Hint | str | None = None


def reconcile(jobs: JobTable, folder: Path, *, stale_seconds: float = 30.0) -> list[int]:
    """Correct the rows of dead jobs, unless a supervisor lives, which does so and knows more.

    For any command that lists jobs.

    Returns:
        The ids of the jobs that were found dead.
    """
    if SupervisorLock(folder).is_held():
        return []
    return settle_dead(jobs, folder, stale_seconds=stale_seconds)


def settle_dead(
    jobs: JobTable, folder: Path, *, stale_seconds: float, exit_codes: dict[int, int] | None = None, grace: float = 2.0
) -> list[int]:
    """Mark every active job whose process is gone, and stop what that process left behind.

    Args:
        jobs: The table of jobs.
        folder: The workspace's.
        stale_seconds: Age of a heartbeat from which a process out of our sight counts as dead.
        exit_codes: Exit codes, by pid, of those that were our children; more are added here.
        grace: Seconds that left-behind processes get between SIGTERM and SIGKILL.
    """
    host = socket.gethostname()
    codes = {} if exit_codes is None else exit_codes
    settled: list[int] = []
    for job in jobs.list(*sorted(ACTIVE)):
        if not is_dead(job, host=host, stale_seconds=stale_seconds):
            continue
        # Nobody could beat while the database was away: time counts from its return.
        if not is_dead(job, host=host, stale_seconds=stale_seconds, reachable_s=jobs.reachable_s()):
            continue
        code = None
        if job.host == host:
            # Only now: it may have ended a moment ago, after any earlier look.
            codes.update(reap())
            code = None if job.pid is None else codes.get(job.pid)
            # The row is corrected only afterwards, so that a kill in between repeats this, and nobody
            # resumes a job that still writes.
            if not _stop_rest(job, mark_of(folder, job.id), grace):
                log.warning("job %d: not everything could be stopped; trying again", job.id)
                continue
        outcome = _outcome(job, code)
        if jobs.finish(job.id, outcome.status, exit_code=code, error=outcome.error, hint=outcome.hint, pid=job.pid):
            log.info("job %d: %s (%s)", job.id, outcome.status, outcome.error)
            settled.append(job.id)
    return settled


def _stop_rest(job: Job, mark: str, grace: float) -> bool:
    if job.pid is None or job.pid_started is None:
        return stop_marked(mark, grace=grace)
    return stop_group(job.pid, job.pid_started, mark=mark, grace=grace)


def is_dead(job: Job, *, host: str, stale_seconds: float, reachable_s: float = math.inf) -> bool:
    """Whether the process of a starting or running job is gone.

    Args:
        reachable_s: Seconds for which it could have beaten: nobody is silent for longer than that.
    """
    beat = max(job.heartbeat_at or 0.0, job.started_at or 0.0)
    stale = min(time.time() - beat, reachable_s) > stale_seconds
    if job.pid is None or job.pid_started is None or job.host != host:
        # Not ours to look at, or its starter was killed before it wrote the pid down: time decides.
        return stale
    if is_alive(job.pid, job.pid_started):
        return False
    # Another start time under the same pid is another process, or the clock was set; only a worker
    # that does not beat any more is dead.
    return stale or not pid_exists(job.pid)


def _outcome(job: Job, code: int | None) -> _Outcome:
    if job.cancel_requested:
        return _Outcome(JobStatus.CANCELLED)
    if code == 0 and job.heartbeat_at is None:
        # A command that knows nothing of us, such as a trainer, and succeeded.
        return _Outcome(JobStatus.FINISHED)
    hint = f"the log says more: {job.log_path}"
    if job.error is not None:
        return _Outcome(JobStatus.FAILED, job.error, job.hint or hint)
    if code == EXIT_UNAVAILABLE:
        return _Outcome(JobStatus.INTERRUPTED, last_line(Path(job.log_path)), _RESUME)
    if code is not None and code > 0:
        line = last_line(Path(job.log_path))
        detail = f": {line}" if line else ""
        return _Outcome(JobStatus.FAILED, f"the process ended with exit code {code}{detail}", hint)
    if code is not None and code < 0:
        return _Outcome(JobStatus.INTERRUPTED, f"the process was killed by signal {-code}", _RESUME)
    return _Outcome(JobStatus.INTERRUPTED, "the process is gone", _RESUME)


def last_line(path: Path) -> str:
    """The last line with text in a log file; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
            tail = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return brief(lines[-1]) if lines else ""
