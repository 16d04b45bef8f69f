"""A database that is away for a while: which errors say so, and how long is waited for it.

What can be repeated as a whole is repeated: a transaction that was cut off left nothing behind, and one
whose commit may or may not have arrived is one that stores nothing twice, by its unique keys.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from threading import Event, Lock
from typing import TypeVar

from sqlalchemy import exc

from backend.errors import StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

STOPPED_S = 5.0
"""How long the database is waited for by who was asked to stop."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 3.0

_FOR_NOW = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "53300",  # too many connections
    "55P03",  # lock not available
    "57P01",  # admin shutdown
    "57P02",  # crash shutdown
    "57P03",  # cannot connect now: starting up, shutting down, in recovery
    "57P05",  # idle session timeout
}
"""PostgreSQL's codes (https://www.postgresql.org/docs/current/errcodes-appendix.html) of what passes;
class 08, connection exceptions, does as well."""

_FOR_GOOD = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password")
"""How a server refuses who connects. libpq gives no code for what is said before there is a session."""

_LOST = ("server closed the connection", "connection is closed", "connection is lost")


def is_outage(error: exc.SQLAlchemyError) -> bool:
    """Whether the same may succeed when it is tried again in a while: the server is gone or not there
    yet, the connection broke, or another writer holds what is needed."""
    if isinstance(error, exc.TimeoutError):
        return True  # every connection of the pool is in use
    if not isinstance(error, exc.DBAPIError) or isinstance(error, exc.IntegrityError):
        return False
    detail = str(error.orig)
    if error.connection_invalidated or any(words in detail for words in _LOST):
        return True
    code = getattr(error.orig, "sqlstate", "")
    if code != "":  # psycopg's
        if code is not None:
            return code in _FOR_NOW or code.startswith("08")
        refused = any(words in detail for words in _FOR_GOOD)
        return isinstance(error, exc.OperationalError) and not refused
    # SQLite: SQLITE_BUSY and SQLITE_LOCKED, which come when the busy timeout has passed.
    return isinstance(error, exc.OperationalError) and " is locked" in detail


class Presence:
    """Whether the database answers this process, said once when it goes and once when it returns."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lost_at: float | None = None
        self._back_at = -math.inf

    def lost(self, why: str) -> None:
        """It did not answer."""
        with self._lock:
            if self._lost_at is None:
                self._lost_at = time.monotonic()
                log.warning("the database is unavailable: %s", why)

    def answered(self) -> None:
        """A transaction went through."""
        if self._lost_at is None:
            return
        with self._lock:
            if self._lost_at is not None:
                self._back_at = time.monotonic()
                away = self._back_at - self._lost_at
                log.warning("the database is back after %.1f s", away)
                self._lost_at = None

    def seconds(self) -> float:
        """For how long it has answered since it was last away; infinite when it never was."""
        return time.monotonic() - self._back_at


class Patience:
    """Repeats whole transactions while the database is unavailable, up to a limit.

    Args:
        seconds: How long an outage may last.
        stop: When it is set, nobody waits for longer than :data:`STOPPED_S` any more.
    """

    def __init__(self, seconds: float = 300.0, *, stop: Event | None = None) -> None:
        self._seconds = seconds
        self._stop = stop or Event()

    def call(self, work: Callable[[], T]) -> T:
        """Do ``work`` again until the database answers. It must be harmless to do it twice, since a
        commit may have arrived of which no answer came.

        Raises:
            StoreUnavailable: The outage lasts longer than is waited.
        """
        since: float | None = None
        deadline, pause = 0.0, _FIRST_PAUSE_S
        while True:
            try:
                return work()
            except StoreUnavailable as error:
                now = time.monotonic()
                if since is None:
                    since, deadline = now, now + self._seconds
                if self._stop.is_set():
                    deadline = min(deadline, now + STOPPED_S)
                if now >= deadline:
                    raise StoreUnavailable(
                        f"given up after {now - since:.0f} s without the database: {error.message}", hint=error.hint
                    ) from error
            # Of several that wait, not all come back at the same moment.
            self._wait(min(pause, deadline - now) * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _wait(self, seconds: float) -> None:
        if self._stop.is_set():
            time.sleep(seconds)
        else:
            self._stop.wait(seconds)
