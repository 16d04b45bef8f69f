"""Predictions that could not be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, tuple_

from backend.domain.pairs import Order
from backend.hints import Hint
from backend.store.database import Database, insert_into
from backend.store.schema import failures, pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFailure:
    """A prediction that could not be made."""

    pair_id: int
    shown_order: Order
    sample: int
    error: str
    hint: Hint | str | None
    created_at: float
    """UTC seconds; the same one again is the same failure, sent twice."""


class FailedPair(NamedTuple):
    """A prediction that could not be made."""

    failure_id: int
    idx: int
    order: str
    sample: int
    attempts: int
    error: str
    hint: Hint | str | None


class Failures:
    """The failures of a workspace's runs. Writing methods run inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, connection: Connection, run_id: int, new: Sequence[NewFailure]) -> None:
        """Record what could not be made; a repeated failure counts another attempt."""
        rows = {
            (item.pair_id, item.shown_order, item.sample): {
                "run_id": run_id,
                "pair_id": item.pair_id,
                "shown_order": item.shown_order.value,
                "sample": item.sample,
                "error": item.error,
                "hint": item.hint,
                "attempts": 1,
                "created_at": item.created_at,
            }
            for item in new
        }
        if not rows:
            return
        statement = insert_into(connection, failures)
        said = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["run_id", "pair_id", "shown_order", "sample"],
            set_={
                "attempts": failures.c.attempts + 1,
                "error": said.error,
                "hint": said.hint,
                "created_at": said.created_at,
            },
            where=failures.c.created_at != said.created_at,
        )
        connection.execute(statement, list(rows.values()))

    def forget(self, connection: Connection, run_id: int, keys: Sequence[tuple[int, str, int]]) -> None:
        """Take back what has been made after all: pair id, shown order, sample of each."""
        connection.execute(
            delete(failures).where(
                failures.c.run_id == run_id,
                tuple_(failures.c.pair_id, failures.c.shown_order, failures.c.sample).in_(keys),
            )
        )

    def of_run(self, run_id: int) -> list[dict[str, Any]]:
        """What could not be made, with the pair's place in its dataset."""
        query = (
            select(
                pairs.c.key,
                pairs.c.idx.label("index"),
                failures.c.shown_order.label("order"),
                failures.c.sample,
                failures.c.error,
                failures.c.hint,
                failures.c.attempts,
            )
            .join(pairs, pairs.c.id == failures.c.pair_id)
            .where(failures.c.run_id == run_id)
            .order_by(failures.c.id)
        )
        with self._db.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def page(self, run_id: int, *, after: int = 0, limit: int = 50) -> list[FailedPair]:
        """What could not be made, oldest first, behind failure ``after``."""
        c = failures.c
        query = (
            select(c.id, pairs.c.idx, c.shown_order, c.sample, c.attempts, c.error, c.hint)
            .join(pairs, pairs.c.id == c.pair_id)
            .where(c.run_id == run_id, c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
        with self._db.read() as connection:
            return [FailedPair(*row) for row in connection.execute(query)]
