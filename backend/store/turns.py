"""Whose turn it is to write: the fair order that SQLite's lock lacks.

SQLite gives its lock to whoever asks at the right moment, and who waits asks ever more seldom: a writer
that takes it again at once starves the others. Here those who want to write stand behind a door, and
only the first of them waits for SQLite's lock; whoever has just written stands behind the others. The
door is an advisory lock on the database's folder, which ends with its process. SQLite's own lock still
decides: where there is no door (a file system without such locks), it is as it was.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_POLL_S = 0.002
_doors: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


@contextmanager
def turn(database: str | None, patience_s: float) -> Iterator[None]:
    """Wait until no other writer stands before this one; for so long at most.

    Args:
        database: Path of SQLite's file; without one (in memory) there is nobody else.
    """
    if not database or database == ":memory:":
        yield
        return
    folder = str(Path(database).absolute().parent)
    deadline = time.monotonic() + patience_s
    # Of the threads of one process one stands at the door.
    inside = _doors[folder].acquire(timeout=patience_s)
    descriptor = -1
    try:
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            poll(lambda: _try(descriptor), deadline)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        if inside:
            _doors[folder].release()


def poll(attempt: Callable[[], bool], deadline: float) -> bool:
    """Attempt something every two milliseconds; whether it came about before the deadline."""
    while not attempt():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
