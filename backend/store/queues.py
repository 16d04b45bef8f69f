"""Review queues: what they are made of, and how far they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, select, update

from backend.errors import NotFound
from backend.store.database import Database
from backend.store.people import People
from backend.store.schema import queue_claims, queue_items, review_queues

CLOSED = "closed_queues"
"""A person's settings hold under it which of their queues they have closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue. ``spec`` is what it was made from, with its settings."""

    id: int
    title: str
    kind: str
    spec: dict[str, Any]
    items: int
    created_by: str
    created_at: float
    done: int = 0
    closed: bool = False
    """Its maker has put it away; only a queue of the list says so."""

    @property
    def open(self) -> bool:
        """Whether there is work in it. Only a queue of the list knows."""
        return not self.closed and self.done < self.items

    @property
    def blind(self) -> bool:
        return bool(self.spec.get("blind", False))

    @property
    def rulings_wanted(self) -> int:
        return int(self.spec.get("rulings_wanted", 1))


def is_blind() -> ColumnElement[bool]:
    """The condition that a queue is blind."""
    return func.coalesce(review_queues.c.spec["blind"].as_boolean(), False)


class QueueRows:
    """The queues of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, *, title: str, kind: str, spec: dict[str, Any], created_by: str) -> int:
        """A queue without items, which nobody sees before :meth:`finish`."""
        with self._db.write() as connection:
            key: Any = connection.execute(
                insert(review_queues).values(
                    title=title, kind=kind, spec=spec, items=0, created_by=created_by, created_at=time.time()
                )
            ).inserted_primary_key
        return int(key[0])

    def append(self, queue_id: int, start: int, prediction_ids: Sequence[int]) -> None:
        """Store items from position ``start`` on."""
        rows = [
            {"queue_id": queue_id, "position": position, "prediction_id": number, "rulings": 0}
            for position, number in enumerate(prediction_ids, start=start)
        ]
        with self._db.write() as connection:
            connection.execute(insert(queue_items), rows)

    def finish(self, queue_id: int, items: int, spec: dict[str, Any]) -> None:
        """Open the queue."""
        with self._db.write(durable=True) as connection:
            connection.execute(
                update(review_queues).where(review_queues.c.id == queue_id).values(items=items, spec=spec)
            )

    def drop(self, queue_id: int) -> None:
        """Remove a queue with its items and claims. Rulings made in it stay."""
        with self._db.write() as connection:
            for table in (queue_claims, queue_items):
                connection.execute(delete(table).where(table.c.queue_id == queue_id))
            connection.execute(delete(review_queues).where(review_queues.c.id == queue_id))

    def get(self, queue_id: int) -> QueueRow:
        """One queue.

        Raises:
            NotFound: There is none, or it is still being made.
        """
        query = select(review_queues).where(review_queues.c.id == queue_id)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        if row is None or not row.items:
            raise NotFound(f"there is no review queue {queue_id}", hint="choose one from the list")
        return QueueRow(**row._mapping)

    def newest(self, limit: int = 100) -> list[QueueRow]:
        """The newest queues that are open, and behind them the newest of those that are not.

        Each with how many of its items have every ruling they want. A queue that is done or closed
        takes no place from one that is open.

        Args:
            limit: At most so many that are open, and so many that are not.
        """
        query = (
            select(review_queues)
            .where(review_queues.c["items"] > 0, func.coalesce(review_queues.c.spec["listed"].as_boolean(), True))
            .order_by(review_queues.c.id.desc())
        )
        found: dict[bool, list[QueueRow]] = {True: [], False: []}
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        closed = self._closed(rows)
        with self._db.read() as connection:
            for row in rows:
                # Counting is what takes time: not where it could not matter any more.
                if row.id in closed and len(found[False]) >= limit:
                    continue
                queue = QueueRow(**row._mapping, done=self._done(connection, row), closed=row.id in closed)
                if len(found[queue.open]) < limit:
                    found[queue.open].append(queue)
                if len(found[True]) >= limit:
                    break
        return [*found[True], *found[False]]

    def blind(self) -> list[QueueRow]:
        """The blind queues that are not closed, without their progress."""
        query = select(review_queues).where(review_queues.c["items"] > 0, is_blind()).order_by(review_queues.c.id)
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        closed = self._closed(rows)
        return [QueueRow(**row._mapping) for row in rows if row.id not in closed]

    def set_closed(self, queue: QueueRow, on: bool) -> None:
        """Put a queue away for everybody, or open it again. Nothing in it is touched."""
        value = queue.created_at if on else None
        People(self._db).keep_within(queue.created_by, CLOSED, str(queue.id), value)

    def is_closed(self, queue: QueueRow) -> bool:
        """Whether its maker has put it away; looked up, whatever the row says."""
        return bool(self._closed([queue]))

    def _closed(self, rows: Sequence[Row[Any] | QueueRow]) -> set[int]:
        """Those that their makers have closed.

        Kept among the maker's settings beside the time the queue was made: a number may be given
        twice.
        """
        people = People(self._db)
        kept = {maker: people.settings(maker).get(CLOSED, {}) for maker in {row.created_by for row in rows}}
        return {row.id for row in rows if kept[row.created_by].get(str(row.id)) == row.created_at}

    def _done(self, connection: Connection, row: Row[Any]) -> int:
        wanted = int(row.spec.get("rulings_wanted", 1))
        query = select(func.count()).where(queue_items.c.queue_id == row.id, queue_items.c.rulings >= wanted)
        return int(connection.execute(query).scalar_one())

    def progress(self, queue: QueueRow, reviewer: str) -> tuple[int, int, int]:
        """Items with every ruling they want, items this reviewer has ruled on, and items that
        only other reviewers can have right now.

        Counted over the claims, of which there are as many as rulings, and not over the items.
        """
        claims = queue_claims.c
        theirs = (claims.reviewer != reviewer) & claims.done.is_(False) & (claims.expires_at > time.time())
        places = (
            select(
                func.sum(case((claims.done.is_(True), 1), else_=0)).label("rulings"),
                func.max(case((claims.done & (claims.reviewer == reviewer), 1), else_=0)).label("mine"),
                func.max(case((theirs, 1), else_=0)).label("held"),
            )
            .where(claims.queue_id == queue.id)
            .group_by(claims.position)
            .subquery()
        )
        query = select(
            func.count().filter(places.c.rulings >= queue.rulings_wanted),
            func.sum(places.c.mine),
            func.sum(places.c.held),
        )
        with self._db.read() as connection:
            done, mine, held = connection.execute(query).one()
        return int(done or 0), int(mine or 0), int(held or 0)
