"""One process at a time goes on with a loop.

Who does is written in the loop's row as a job's process is, by pid, start time and host, and found
dead by the same looks: a crash lets go of the loop. Who has lost it cannot write to it any more.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from sqlalchemy import Connection

from backend.errors import RunError, StoreError
from backend.hints import Hint
from backend.jobs.processes import is_alive, pid_exists, this_process
from backend.loop.spec import LoopSpec, LoopState, Step
from backend.store.loops import Driver, LoopRow, Loops
from backend.workspace import Workspace


class Hold:
    """This process's hold on a loop."""

    def __init__(self, loops: Loops, loop_id: int, driver: Driver, *, seconds: float) -> None:
        self._loops, self._id, self._driver = loops, loop_id, driver
        self._seconds = seconds
        self._renewed = time.monotonic()

    def beat(self) -> None:
        """Say every few seconds that we live, for drivers on other machines.

        Raises:
            RunError: The loop was cancelled, or is somebody else's by now.
        """
        if time.monotonic() - self._renewed >= self._seconds:
            self.check()

    def check(self) -> None:
        """Go on only while the loop is ours.

        Raises:
            RunError: It was cancelled, or is somebody else's by now.
        """
        self._renewed = time.monotonic()
        if not self._loops.renew(self._id, replace(self._driver, at=time.time())):
            raise self._lost()

    def save(self, spec: LoopSpec, state: LoopState, connection: Connection | None = None) -> None:
        """Write down how far the loop is.

        Args:
            connection: Of a transaction that it belongs to.

        Raises:
            RunError: It was cancelled, or is somebody else's by now.
        """
        driver = replace(self._driver, at=time.time())
        values = {"spec": spec.model_dump(mode="json"), "state": state.model_dump(mode="json")}
        if not self._loops.save(self._id, driver, **values, connection=connection):
            raise self._lost()

    def _lost(self) -> RunError:
        row = self._loops.get(self._id)
        if row.state.get("step") == Step.CANCELLED:
            return cancelled(self._id)
        return RunError(f"loop {self._id} was taken over by another process", hint=Hint("see {SHOW_LOOP}", on=self._id))


@contextmanager
def driving(space: Workspace, loop_id: int) -> Iterator[tuple[LoopRow, Hold]]:
    """Hold a loop while the block runs.

    Raises:
        NotFound: There is no such loop.
        RunError: Another process goes on with it, or it was cancelled.
    """
    loops = space.loops
    before = loops.get(loop_id)
    if before.state.get("step") == Step.CANCELLED:
        raise cancelled(loop_id)
    living = driver_of(space, before)
    if living is not None:
        raise _taken(loop_id, living)
    pid, started = this_process()
    us = Driver(pid=pid, pid_started=started, host=socket.gethostname(), at=time.time())
    row = loops.claim(loop_id, us, over=before.driver)
    if row is None:
        raise _taken(loop_id, loops.get(loop_id).driver)
    try:
        yield row, Hold(loops, loop_id, us, seconds=space.settings.heartbeat_seconds)
    finally:
        # Where even that cannot be written, our end lets go of it.
        with suppress(StoreError):
            loops.release(loop_id, us)


def driver_of(space: Workspace, row: LoopRow) -> Driver | None:
    """The living process that goes on with a loop, as far as can be seen from here."""
    driver = row.driver
    if driver is None:
        return None
    stale = space.settings.stale_seconds
    # Nobody could say anything while the database was away.
    silent = time.time() - driver.at > stale and space.jobs.reachable_s() > stale
    if driver.host != socket.gethostname():
        # Not ours to look at: time decides, as for jobs.
        return None if silent else driver
    if is_alive(driver.pid, driver.pid_started):
        return driver
    # Another start time under the same pid is another process, or the clock was set.
    return driver if pid_exists(driver.pid) and not silent else None


def cancelled(loop_id: int) -> RunError:
    """What is said of a loop that was given up."""
    return RunError(f"loop {loop_id} was cancelled", hint=Hint("what it made is there; {START_LOOP} starts another"))


def _taken(loop_id: int, driver: Driver | None) -> RunError:
    who = f"process {driver.pid} on {driver.host}" if driver else "another process"
    return RunError(
        f"loop {loop_id} is going on already, in {who}",
        hint=Hint("{SHOW_LOOP} tells how far it is; {CANCEL_LOOP} ends it", on=loop_id),
    )
