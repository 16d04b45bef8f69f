"""Starting what is queued, stopping what was cancelled, noticing what died.

The supervisor is a detached process, one for a workspace. It holds nothing that cannot be read from
the table of jobs, so it may be killed at any time: jobs go on, and the next one adopts them.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.domain.jobs import ACTIVE, OPEN, Job, JobStatus
from backend.errors import StoreError, StoreUnavailable
from backend.jobs.devices import overlap
from backend.jobs.handover import sweep, take
from backend.jobs.lock import SupervisorLock
from backend.jobs.marks import MARK, mark_of
from backend.jobs.processes import ask_to_stop, is_alive, reap, spawn, stop_group, stop_marked
from backend.jobs.reconcile import settle_dead
from backend.jobs.table import JobTable

log = logging.getLogger(__name__)

SUPERVISOR_MODULE = "backend.supervisor"
_LOCK_WAIT_S = 2.0
_LINGER_S = 30.0
_LONGEST_STEP_S = 2.0
SILENCE_S = 900.0
"""Without a beat for so long, a worker whose process lives has hung."""
_STORE_RETRY_S = 1.0
LONGEST_END_S = 420.0
"""What a cancelled job is given to end by itself, as long as it says that it is at it."""


@dataclass(slots=True)
class _Watched:
    """The process of a job, remembered until it is gone, whatever the job's row says."""

    pid: int
    pid_started: float
    devices: str
    ended_at: float | None = None


class Supervisor:
    """The steps of supervising.

    Args:
        jobs: The table of jobs.
        folder: The workspace's folder; jobs run in it.
        stale_seconds: See :func:`~backend.jobs.reconcile.settle_dead`.
        grace: Seconds between SIGTERM and SIGKILL for a cancelled job. One whose own process goes on
            beating meanwhile, because it saves what it has, is waited for up to
            :data:`LONGEST_END_S`.
        silence_seconds: A worker that lives and does not beat for so long is ended. Its engine may hold
            the interpreter's lock, so that nothing in it can notice.
    """

    def __init__(
        self,
        jobs: JobTable,
        folder: Path,
        *,
        stale_seconds: float = 30.0,
        grace: float = 10.0,
        silence_seconds: float = SILENCE_S,
    ) -> None:
        self._jobs = jobs
        self._folder = folder
        self._stale_seconds = stale_seconds
        self._grace = grace
        self._silence_seconds = silence_seconds
        self._looked = time.monotonic()
        # The last beat of each job, and the seconds that we have seen no other.
        self._beats: dict[int, tuple[float, float]] = {}
        self._host = socket.gethostname()
        self._exit_codes: dict[int, int] = {}
        self._watched: dict[int, _Watched] = {}
        # Jobs that we were about to take or to note the process of when the store went away.
        self._taking: set[int] = set()
        self._unnoted: set[int] = set()
        # When the owner of a job's attempt was asked to end it.
        self._asked: dict[tuple[int, int], float] = {}

    def tick(self) -> bool:
        """One round; whether anything is still open."""
        self._exit_codes.update(reap())
        self._note_started()
        settle_dead(
            self._jobs, self._folder, stale_seconds=self._stale_seconds, exit_codes=self._exit_codes, grace=self._grace
        )
        self._cancel()
        self._end_silent()
        self._watch()
        self._start()
        return bool(self._watched) or bool(self._jobs.list(*sorted(OPEN)))

    def watches_any(self) -> bool:
        """Whether a process that we know of lives, whatever the store says or does not say."""
        return any(is_alive(one.pid, one.pid_started) for one in self._watched.values())

    def _active_here(self) -> list[Job]:
        return [job for job in self._jobs.list(*sorted(ACTIVE)) if job.host == self._host]

    def _cancel(self) -> None:
        for job in self._active_here():
            if not job.cancel_requested or job.pid is None or job.pid_started is None:
                continue
            if self._ends_itself(job, job.pid, job.pid_started):
                continue
            if not self._stop(job.id, job.pid, job.pid_started):
                log.warning("job %d: not everything could be stopped; trying again", job.id)
                continue
            self._exit_codes.update(reap())
            code = self._exit_codes.get(job.pid)
            self._jobs.finish(job.id, JobStatus.CANCELLED, exit_code=code, pid=job.pid)
            log.info("job %d: cancelled, nothing of it is left", job.id)

    def _ends_itself(self, job: Job, pid: int, pid_started: float) -> bool:
        """Whether a cancelled job's own process was asked, and may still be putting things away."""
        if job.heartbeat_at is None or not is_alive(pid, pid_started):
            # A command that knows nothing of us, or that is gone.
            return False
        now = time.monotonic()
        if (job.id, job.attempt) not in self._asked:
            ask_to_stop(pid, pid_started)
        waited = now - self._asked.setdefault((job.id, job.attempt), now)
        # What it could not say while the store was away is not held against it.
        silent = min(time.time() - job.heartbeat_at, self._jobs.reachable_s())
        beats = silent < self._grace
        return waited < self._grace or (beats and waited < LONGEST_END_S)

    def _stop(self, job_id: int, pid: int, pid_started: float) -> bool:
        mark = mark_of(self._folder, job_id)
        return stop_group(pid, pid_started, mark=mark, grace=self._grace)

    def _end_silent(self) -> None:
        # Counted here and in short steps: while the store was away or this machine slept, nobody beat.
        now = time.monotonic()
        step = min(now - self._looked, _LONGEST_STEP_S)
        self._looked = now
        before, self._beats = self._beats, {}
        for job in self._active_here():
            if job.heartbeat_at is None or job.pid is None or job.pid_started is None:
                continue
            beat, silent = before.get(job.id, (0.0, 0.0))
            silent = silent + step if beat == job.heartbeat_at else 0.0
            self._beats[job.id] = (job.heartbeat_at, silent)
            if silent < self._silence_seconds or not self._stop(job.id, job.pid, job.pid_started):
                continue
            error = f"its process lived and gave no sign of life for {silent:.0f} s; it was ended"
            hint = "resume it: nothing that was committed is lost"
            self._jobs.finish(job.id, JobStatus.INTERRUPTED, error=error, hint=hint, pid=job.pid)
            log.warning("job %d: %s", job.id, error)

    def _watch(self) -> None:
        """Remember who runs, and clear up behind jobs that ended by themselves."""
        active = {job.id for job in self._active_here()}
        for job in self._active_here():
            if job.pid is not None and job.pid_started is not None:
                self._watched[job.id] = _Watched(job.pid, job.pid_started, job.devices)
        for job_id, process in list(self._watched.items()):
            if job_id in active:
                continue
            process.ended_at = process.ended_at or time.monotonic()
            lingers = time.monotonic() - process.ended_at
            # It has said that it is done, and may still be putting its engine away.
            if is_alive(process.pid, process.pid_started) and lingers < _LINGER_S:
                continue
            if self._stop(job_id, process.pid, process.pid_started):
                del self._watched[job_id]
                self._exit_codes.pop(process.pid, None)

    def _start(self) -> None:
        queued = self._jobs.list(JobStatus.QUEUED)
        # The answer to our taking them was lost with the store; nobody else starts them now.
        queued += [
            job
            for job in self._active_here()
            if job.id in self._taking and job.status is JobStatus.STARTING and job.pid is None
        ]
        self._taking &= {job.id for job in queued}
        if not queued:
            return
        # A device is free when its process is gone, not when its row says so.
        busy = [process.devices for process in self._watched.values()]
        busy += [job.devices for job in self._active_here() if job.id not in self._taking]
        for job in queued:
            if any(overlap(job.devices, devices) for devices in busy):
                # Later jobs do not overtake it on its devices.
                busy.append(job.devices)
            elif not self._nothing_left_of(job) or self._start_one(job):
                busy.append(job.devices)

    def _nothing_left_of(self, job: Job) -> bool:
        """End what an earlier attempt left behind, which would write where this one will."""
        if stop_marked(mark_of(self._folder, job.id), grace=self._grace):
            return True
        log.warning("job %d: waits, since not all of its last attempt could be stopped", job.id)
        return False

    def _start_one(self, job: Job) -> bool:
        if job.status is JobStatus.QUEUED:
            self._taking.add(job.id)
            taken = self._jobs.mark_starting(job.id, self._host)
            self._taking.discard(job.id)
            if not taken:
                return False
        try:
            pid, started = spawn(
                job.argv,
                env={**take(self._folder, job.id), **job.env, MARK: mark_of(self._folder, job.id)},
                log_path=Path(job.log_path),
                cwd=self._folder,
            )
        except OSError as error:
            self._jobs.finish(
                job.id,
                JobStatus.FAILED,
                error=f"cannot start {error.filename or job.argv[0]}: {error.strerror}",
                hint="check that the interpreter and the log's folder exist and may be used",
            )
            return False
        self._taking.discard(job.id)
        self._watched[job.id] = _Watched(pid, started, job.devices)
        self._unnoted.add(job.id)
        return self._note_one(job.id)

    def _note_started(self) -> None:
        """Note the processes that could not be noted when they were started."""
        for job_id in list(self._unnoted):
            self._note_one(job_id)

    def _note_one(self, job_id: int) -> bool:
        process = self._watched[job_id]
        noted = self._jobs.set_process(job_id, process.pid, process.pid_started)
        self._unnoted.discard(job_id)
        if noted:
            log.info("job %d: started as process %d", job_id, process.pid)
        else:
            log.warning("job %d: taken by somebody else while it started", job_id)
            self._stop(job_id, process.pid, process.pid_started)
        return noted


def supervise(
    jobs: JobTable,
    folder: Path,
    *,
    stale_seconds: float = 30.0,
    grace: float = 10.0,
    silence_seconds: float = SILENCE_S,
    interval: float = 0.3,
    idle_seconds: float = 5.0,
    outage_seconds: float = 300.0,
) -> None:
    """Tick until nothing has been open for a while. Returns at once when another one supervises.

    Args:
        outage_seconds: How long the store may be away when no job's process is left to watch.

    Raises:
        StoreUnavailable: It was away for longer.
    """
    lock = SupervisorLock(folder)
    supervisor = Supervisor(jobs, folder, stale_seconds=stale_seconds, grace=grace, silence_seconds=silence_seconds)
    while lock.acquire(wait=_LOCK_WAIT_S):
        with suppress(StoreError):
            sweep(folder, {job.id for job in jobs.list(JobStatus.QUEUED)})
        try:
            _loop(supervisor, lock, interval=interval, idle_seconds=idle_seconds, outage_seconds=outage_seconds)
        finally:
            gone = not lock.still_there()
            lock.release()
        # Who queued a job while we still held the lock did not start another supervisor. Where the
        # store goes away right now, look again as if there were one.
        with suppress(StoreUnavailable):
            if gone or not jobs.list(*sorted(OPEN)):
                return


def _loop(
    supervisor: Supervisor, lock: SupervisorLock, *, interval: float, idle_seconds: float, outage_seconds: float
) -> None:
    idle_since = answered = time.monotonic()
    while lock.still_there() and time.monotonic() - idle_since < idle_seconds:
        try:
            if supervisor.tick():
                idle_since = time.monotonic()
            answered = time.monotonic()
        except StoreError as error:
            # What is open cannot be seen, so nothing says that we are idle.
            idle_since = time.monotonic()
            if idle_since - answered > outage_seconds and not supervisor.watches_any():
                raise
            if not isinstance(error, StoreUnavailable):  # which the store has said, once
                log.warning("the store does not answer: %s", error)
            time.sleep(_STORE_RETRY_S)
        time.sleep(interval)


def ensure_supervisor(
    db_url: str,
    folder: Path,
    *,
    stale_seconds: float = 30.0,
    silence_seconds: float = SILENCE_S,
    outage_seconds: float = 300.0,
) -> None:
    """Start the workspace's supervisor unless there is one. Call it after the job is committed.

    Starting two at once is harmless: the second finds the lock held and ends.

    Args:
        db_url: The database, with its password if it has one. Handed over by standard input,
            since a command line can be read by everybody.
        folder: The workspace's folder, for the lock and the supervisor's log.
        stale_seconds: See :func:`~backend.jobs.reconcile.settle_dead`.
        silence_seconds: See :class:`Supervisor`.
        outage_seconds: See :func:`supervise`.
    """
    reap()
    if SupervisorLock(folder).is_held():
        return
    spawn(
        [sys.executable, "-m", SUPERVISOR_MODULE, str(folder.absolute())],
        # Whoever starts it, even a job: it is no part of one.
        env={MARK: ""},
        log_path=folder.absolute() / "supervisor.log",
        # Where this package lies, for a checkout that is not installed. Not PYTHONPATH: jobs would
        # inherit it into other interpreters.
        cwd=Path(__file__).resolve().parents[2],
        stdin=json.dumps(
            {
                "db_url": db_url,
                "stale_seconds": stale_seconds,
                "silence_seconds": silence_seconds,
                "outage_seconds": outage_seconds,
            }
        ).encode(),
    )
