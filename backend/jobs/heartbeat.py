"""A worker's sign of life, and its ear for a cancel request."""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType
from typing import Self

from backend.errors import StoreError, StoreUnavailable
from backend.jobs.table import JobTable

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats in a daemon thread while the block runs.

    Args:
        jobs: The table of jobs.
        job_id: The job that this process has claimed.
        seconds: Time between two beats.
        pid: The pid under which the job was claimed; this process's when not given.

    Attributes:
        cancelled: Set when somebody asked for the job to be cancelled, or when it is not ours any
            more. The worker then commits what it has and ends.
    """

    def __init__(self, jobs: JobTable, job_id: int, seconds: float, *, pid: int | None = None) -> None:
        self.cancelled = threading.Event()
        self._jobs = jobs
        self._job_id = job_id
        self._pid = os.getpid() if pid is None else pid
        self._seconds = seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        while True:
            try:
                if not self._jobs.heartbeat(self._job_id, self._pid):
                    self.cancelled.set()
                    return
            except StoreUnavailable:
                # Said by the store, once; the beats that are missed meanwhile are not held against us
                # (backend/jobs/reconcile.py).
                pass
            except StoreError as error:
                # A full disk is no reason to stop; the next beat may pass.
                log.warning("job %d: no heartbeat: %s", self._job_id, error)
            if self._done.wait(self._seconds):
                return
