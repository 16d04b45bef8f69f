"""Loops: what each was asked to do, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from backend.errors import NotFound
from backend.store.database import Database
from backend.store.schema import loops


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRow:
    """One loop; ``spec`` and ``state`` are those of :mod:`backend.loop`."""

    id: int
    spec: dict[str, Any]
    state: dict[str, Any]
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
            row = connection.execute(select(loops).where(loops.c.id == loop_id)).first()
        if row is None:
            raise NotFound(f"there is no loop {loop_id}", hint="`winnow loop list` shows them")
        return LoopRow(**row._mapping)

    def list(self) -> list[LoopRow]:
        """All loops, oldest first."""
        with self._db.read() as connection:
            rows = connection.execute(select(loops).order_by(loops.c.id))
            return [LoopRow(**row._mapping) for row in rows]

    def set_state(self, loop_id: int, state: Mapping[str, Any]) -> None:
        """Write down how far it is."""
        with self._db.write(durable=True) as connection:
            connection.execute(update(loops).where(loops.c.id == loop_id).values(state=dict(state)))
