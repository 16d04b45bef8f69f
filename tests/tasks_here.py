"""Tasks done in this process, where a test is about something else than their processes."""

from __future__ import annotations

import os
import socket
import threading

from backend.domain.jobs import JobStatus
from backend.errors import WinnowError
from backend.jobs.processes import this_process
from backend.store.outage import Patience
from backend.task import Progress, do
from backend.workspace import Workspace


def do_tasks(space: Workspace) -> None:
    """Do every queued task, as its process would."""
    for row in space.tasks.list():
        if row.status != JobStatus.QUEUED:
            continue
        pid, started = this_process(os.getpid())
        space.jobs.claim(row.job_id, pid, started, socket.gethostname())
        try:
            result = do(space, row, Progress(space.tasks, row.id, threading.Event(), Patience(0)))
        except Exception as error:  # noqa: BLE001 - as its process does
            hint = error.hint if isinstance(error, WinnowError) else None
            space.jobs.finish(row.job_id, JobStatus.FAILED, error=str(error), hint=hint, pid=pid)
            continue
        space.tasks.set_result(row.id, result)
        space.jobs.finish(row.job_id, JobStatus.FINISHED, exit_code=0, pid=pid)
