"""What the processes of all jobs share: how they begin, how their errors are told, how they end."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from backend.domain.jobs import EXIT_UNAVAILABLE, JobStatus
from backend.errors import StoreUnavailable, WinnowError
from backend.hints import Hint
from backend.jobs.heartbeat import Heartbeat
from backend.jobs.processes import this_process
from backend.store.outage import Patience
from backend.workspace import Workspace, open_workspace, settings_for

log = logging.getLogger("winnow.job")

Work = Callable[[Workspace, int, threading.Event, Patience], int]


def run_process(what: str, work: Work, arguments: list[str] | None = None) -> int:
    """``python -m backend.WHAT NUMBER --workspace FOLDER``: open the workspace and do the work in it.

    Args:
        what: Names the program and its one argument.
        work: Is given the workspace, the number, the event that stops it, and the patience with which to
            wait for the database. It returns the exit code.

    Returns:
        The exit code: 0 only where it was done to its end, and ``EXIT_UNAVAILABLE`` where the database
        was away for too long to say how it ended.
    """
    parser = argparse.ArgumentParser(prog=f"backend.{what}")
    parser.add_argument("number", metavar=what.upper(), type=int)
    parser.add_argument("--workspace", type=Path, required=True)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    try:
        settings = settings_for(given.workspace)
        patience = Patience(settings.outage_seconds, stop=stop)
        workspace = patience.call(lambda: open_workspace(settings))
        try:
            return work(workspace, given.number, stop, patience)
        finally:
            workspace.close()
    except StoreUnavailable as error:
        log.error("%s", error.line)
        return EXIT_UNAVAILABLE
    except WinnowError as error:
        log.error("%s", error.line)
        return 1


class Claimed:
    """A job that this process has claimed: it beats while the block runs, and its end is stored.

    Args:
        stop: Set when the job is cancelled, or this process gets SIGTERM.

    Attributes:
        pid: Under which it was claimed. A wrapper may stand between the supervisor and this interpreter;
            the recorded process counts.
    """

    def __init__(self, workspace: Workspace, job_id: int, stop: threading.Event, patience: Patience) -> None:
        self._jobs, self._id, self._stop, self._patience = workspace.jobs, job_id, stop, patience
        self.pid, self.started = this_process(patience.call(lambda: self._jobs.get(job_id)).pid)
        patience.call(lambda: self._jobs.claim(job_id, self.pid, self.started, socket.gethostname()))
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        self.heartbeat = Heartbeat(self._jobs, job_id, workspace.settings.heartbeat_seconds, pid=self.pid)

    def __enter__(self) -> Claimed:
        self.heartbeat.__enter__()
        threading.Thread(target=self._pass_on, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.heartbeat.__exit__(None, None, None)

    def finish(self, status: JobStatus, error: str | None = None, hint: Hint | str | None = None) -> int:
        """Store how it ended; the exit code that says the same."""
        code = 0 if status is JobStatus.FINISHED else 1
        self._patience.call(
            lambda: self._jobs.finish(self._id, status, exit_code=code, error=error, hint=hint, pid=self.pid)
        )
        return code

    @property
    def cancelled(self) -> bool:
        """Whether a person has cancelled it. The supervisor's signal may come before the heartbeat has
        seen why."""
        return (
            self.heartbeat.cancelled.is_set() or self._patience.call(lambda: self._jobs.get(self._id)).cancel_requested
        )

    def _pass_on(self) -> None:
        self.heartbeat.cancelled.wait()
        self._stop.set()
