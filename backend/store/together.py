"""Write transactions of many threads: several in one commit, and again when they met another one.

SQLite has one writer at a time, and a commit that is on the disk takes milliseconds. Threads that wait
for it hand their work to the one whose turn it is, which commits all of it at once. PostgreSQL commits
many transactions at a time by itself, but may break one off that met another: that one is done again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, exc

from backend.errors import StoreError
from backend.store.database import Database

T = TypeVar("T")

_TRIES = 10
_PAUSE_S = 0.01
# Serialization failure, deadlock; and a unique key that another transaction has taken since we looked:
# the next attempt finds its row. https://www.postgresql.org/docs/current/errcodes-appendix.html
_MET_ANOTHER = frozenset({"40001", "40P01", "23505"})

_groups: WeakKeyDictionary[Database, _Group] = WeakKeyDictionary()
_groups_lock = threading.Lock()


def write_together(database: Database, work: Callable[[Connection], T], *, durable: bool = False) -> T:
    """Do ``work`` in a write transaction that it may share with other threads' work.

    What ``work`` raises undoes what it wrote, and nothing else.

    Args:
        work: May be called more than once, each time on the state before; keeps nothing of an earlier
            call.
        durable: As of :meth:`backend.store.database.Database.write`.

    Returns:
        What ``work`` returned, once it is committed.

    Raises:
        StoreError: The database cannot be written.
    """
    if not database.is_sqlite:
        return write_again(database, work, durable=durable)
    with _groups_lock:
        group = _groups.setdefault(database, _Group())
    return group.do(database, work, durable=durable)  # type: ignore[no-any-return]


def write_again(database: Database, work: Callable[[Connection], T], *, durable: bool = False) -> T:
    """Do ``work`` in a write transaction of its own, and again where another one got in its way.

    Args, returns and raises as :func:`write_together`.
    """
    for left in reversed(range(_TRIES)):
        try:
            with database.write(durable=durable) as connection:
                return work(connection)
        except (StoreError, exc.DBAPIError) as error:
            if not left or not _met_another(error):
                raise
        # Those that met must not meet again.
        time.sleep(random.uniform(0, _PAUSE_S * (_TRIES - left)))
    raise AssertionError("the last attempt returns or raises")


def _met_another(error: StoreError | exc.DBAPIError) -> bool:
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return getattr(getattr(cause, "orig", None), "sqlstate", None) in _MET_ANOTHER


class _Waiting:
    """One thread's work, and what came of it."""

    def __init__(self, work: Callable[[Connection], Any], durable: bool) -> None:
        self.work = work
        self.durable = durable
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None


class _Group:
    """Whoever gets the turn does the work of all who wait for it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting: deque[_Waiting] = deque()

    def do(self, database: Database, work: Callable[[Connection], Any], *, durable: bool) -> Any:
        own = _Waiting(work, durable)
        self._waiting.append(own)
        with self._turn:
            if not own.done:
                batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
                _commit(database, batch)
        if own.error is not None:
            raise own.error
        return own.result


def _commit(database: Database, batch: list[_Waiting]) -> None:
    begun = False
    try:
        with database.write(durable=any(one.durable for one in batch)) as connection:
            begun = True
            for one in batch:
                one.result = one.work(connection)
    except BaseException as error:  # noqa: BLE001 - each thread raises its own
        if begun and len(batch) > 1 and isinstance(error, Exception):
            # Nothing is stored, and the others must not suffer for the one that failed.
            for one in batch:
                _commit(database, [one])
        else:
            for one in batch:
                one.error = error
    finally:
        for one in batch:
            one.done = True
