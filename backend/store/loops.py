"""Loops: what each was asked to do, how far it is, and which process goes on with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from backend.errors import NotFound
from backend.hints import Hint
from backend.store.database import Database
from backend.store.schema import loops

_DRIVER = "driver"
"""Stands in the state's JSON, in which each of its changes is one transaction with the state's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The process that goes on with a loop, named as a job's is.

    Attributes:
        pid_started: Tells a reused pid apart.
        at: When it was last heard of, seconds since the epoch.
    """

    pid: int
    pid_started: float
    host: str
    at: float

    def is_same(self, other: Driver | None) -> bool:
        """Whether both are one process, whenever each was heard of."""
        return other is not None and (self.pid, self.pid_started, self.host) == (
            other.pid,
            other.pid_started,
            other.host,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRow:
    """One loop; ``spec`` and ``state`` are those of :mod:`backend.loop`."""

    id: int
    spec: dict[str, Any]
    state: dict[str, Any]
    driver: Driver | None
    created_at: float


class Loops:
    """The loops of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, spec: Mapping[str, Any], state: Mapping[str, Any]) -> int:
        """A new loop; returns its id."""
        with self._db.write() as connection:
            result = connection.execute(
                insert(loops).values(spec=dict(spec), state=dict(state), created_at=time.time())
            )
            key: tuple[Any, ...] = tuple(result.inserted_primary_key or ())
            return int(key[0])

    def get(self, loop_id: int) -> LoopRow:
        """One loop.

        Raises:
            NotFound: There is no such loop.
        """
        with self._db.read() as connection:
            return _get(connection, loop_id)

    def list(self) -> list[LoopRow]:
        """All loops, oldest first."""
        with self._db.read() as connection:
            rows = connection.execute(select(loops).order_by(loops.c.id))
            return [_loop(row) for row in rows]

    def claim(self, loop_id: int, driver: Driver, *, over: Driver | None) -> LoopRow | None:
        """Become a loop's driver in the place of ``over``, who was found dead or never was.

        Returns:
            The loop, or ``None`` when somebody was quicker, or ``over`` was heard of meanwhile.

        Raises:
            NotFound: There is no such loop.
        """
        with self._db.write(durable=True) as connection:
            row = _get(connection, loop_id)
            if row.driver != over:
                return None
            _set(connection, loop_id, row.state, driver)
            return _get(connection, loop_id)

    def renew(self, loop_id: int, driver: Driver) -> bool:
        """Say that the driver lives; false when the loop is not its any more."""
        with self._db.write() as connection:
            row = _get(connection, loop_id)
            if not driver.is_same(row.driver):
                return False
            _set(connection, loop_id, row.state, driver)
            return True

    def release(self, loop_id: int, driver: Driver) -> None:
        """Drive it no longer. Harmless when it is somebody else's."""
        with self._db.write() as connection:
            row = _get(connection, loop_id)
            if driver.is_same(row.driver):
                _set(connection, loop_id, row.state, None)

    def save(
        self,
        loop_id: int,
        driver: Driver,
        *,
        spec: Mapping[str, Any],
        state: Mapping[str, Any],
        connection: Connection | None = None,
    ) -> bool:
        """The driver writes down how far the loop is; false when it is not its any more.

        Args:
            connection: Of the caller's transaction, to be written together with what is in it.
        """
        if connection is None:
            with self._db.write(durable=True) as own:
                return self.save(loop_id, driver, spec=spec, state=state, connection=own)
        if not driver.is_same(_get(connection, loop_id).driver):
            return False
        _set(connection, loop_id, state, driver, spec=dict(spec))
        return True

    def end(self, loop_id: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> LoopRow:
        """Change a loop's state whoever drives it; nobody does afterwards.

        Args:
            change: Is given the state and returns the new one, or raises.

        Raises:
            NotFound: There is no such loop.
        """
        with self._db.write(durable=True) as connection:
            _set(connection, loop_id, change(_get(connection, loop_id).state), None)
            return _get(connection, loop_id)


def _get(connection: Connection, loop_id: int) -> LoopRow:
    query = select(loops).where(loops.c.id == loop_id)
    if connection.get_execution_options().get("winnow_write"):
        # SQLite has one writer at a time anyway, and leaves this out.
        query = query.with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"there is no loop {loop_id}", hint=Hint("{LIST_LOOPS} shows them"))
    return _loop(row)


def _loop(row: Row[Any]) -> LoopRow:
    values = dict(row._mapping)
    state = dict(values.pop("state"))
    driver = state.pop(_DRIVER, None)
    return LoopRow(**values, state=state, driver=Driver(**driver) if driver else None)


def _set(connection: Connection, loop_id: int, state: Mapping[str, Any], driver: Driver | None, **values: Any) -> None:
    kept = {**state, _DRIVER: asdict(driver)} if driver else dict(state)
    connection.execute(update(loops).where(loops.c.id == loop_id).values(state=kept, **values))
