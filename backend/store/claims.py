"""Which items of a queue are free, on whose screen, and ruled on by whom.

Serving writes claims in one transaction that first locks the queue, so that two reviewers who ask
at the same time are given different items.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, update

from backend.store.database import Database
from backend.store.queues import QueueRow
from backend.store.schema import queue_claims, queue_items, review_queues
from backend.store.together import write_together


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place of a queue. ``rulings`` counts the reviewers who have ruled on it there."""

    position: int
    prediction_id: int
    rulings: int
    mine: bool
    """The asking reviewer has ruled on it."""


class Place(NamedTuple):
    """What a ruling on a place of a queue needs to know of it."""

    prediction_id: int
    made_at: float
    """When the queue was made."""
    mine: bool
    """The reviewer has ruled on it."""


class Claims:
    """The claims of a workspace. Methods that take a connection run inside its transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def lock(self, connection: Connection, queue_id: int) -> None:
        """Wait for whoever else is handing out items; SQLite's write transaction does already."""
        connection.execute(select(review_queues.c.id).where(review_queues.c.id == queue_id).with_for_update())

    def open_slots(
        self, connection: Connection, queue: QueueRow, reviewer: str, *, start: int, stop: int | None = None, limit: int
    ) -> list[Slot]:
        """Items from ``start`` on that this reviewer may be served now, in order.

        An item is open as long as the rulings on it, and the other reviewers who have it on their
        screen, are fewer than the rulings wanted, and this reviewer has not ruled on it.
        """
        others = (
            select(func.count())
            .where(
                *_here(queue.id),
                queue_claims.c.reviewer != reviewer,
                queue_claims.c.done.is_(False),
                queue_claims.c.expires_at > time.time(),
            )
            .scalar_subquery()
        )
        mine = exists().where(*_here(queue.id), queue_claims.c.reviewer == reviewer, queue_claims.c.done.is_(True))
        query = (
            select(queue_items.c.position, queue_items.c.prediction_id, queue_items.c.rulings)
            .where(
                queue_items.c.queue_id == queue.id,
                queue_items.c.position >= start,
                queue_items.c.rulings < queue.rulings_wanted,
                ~mine,
                queue_items.c.rulings + others < queue.rulings_wanted,
            )
            .order_by(queue_items.c.position)
            .limit(limit)
        )
        if stop is not None:
            query = query.where(queue_items.c.position < stop)
        return [Slot(**row._mapping, mine=False) for row in connection.execute(query)]

    def slot(self, connection: Connection, queue_id: int, position: int, reviewer: str) -> Slot | None:
        """One place, unless another reviewer has it on their screen right now."""
        row = connection.execute(
            select(queue_items.c.prediction_id, queue_items.c.rulings).where(
                queue_items.c.queue_id == queue_id, queue_items.c.position == position
            )
        ).first()
        claims = connection.execute(
            select(queue_claims.c.reviewer, queue_claims.c.done, queue_claims.c.expires_at).where(
                queue_claims.c.queue_id == queue_id, queue_claims.c.position == position
            )
        ).all()
        now = time.time()
        if row is None or any(
            claim.reviewer != reviewer and not claim.done and claim.expires_at > now for claim in claims
        ):
            return None
        mine = any(claim.reviewer == reviewer and claim.done for claim in claims)
        return Slot(position=position, mine=mine, **row._mapping)

    def place(self, connection: Connection, queue_id: int, position: int, reviewer: str) -> Place | None:
        """One place of a queue; ``None`` when there is no such place."""
        row = connection.execute(
            select(queue_items.c.prediction_id, review_queues.c.created_at, queue_claims.c.done)
            .join(review_queues, review_queues.c.id == queue_items.c.queue_id)
            .outerjoin(queue_claims, _claimed_item() & (queue_claims.c.reviewer == reviewer))
            .where(queue_items.c.queue_id == queue_id, queue_items.c.position == position)
        ).first()
        return None if row is None else Place(row.prediction_id, row.created_at, bool(row.done))

    def ruled_before(self, queue_id: int, position: int, reviewer: str, limit: int) -> list[Slot]:
        """What this reviewer has ruled on before ``position``, the last ``limit`` in order."""
        query = (
            select(queue_items.c.position, queue_items.c.prediction_id, queue_items.c.rulings)
            .join(queue_claims, _claimed_item())
            .where(
                queue_items.c.queue_id == queue_id,
                queue_items.c.position < position,
                queue_claims.c.reviewer == reviewer,
                queue_claims.c.done.is_(True),
            )
            .order_by(queue_items.c.position.desc())
            .limit(limit)
        )
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        return [Slot(**row._mapping, mine=True) for row in reversed(rows)]

    def claim(
        self, connection: Connection, queue_id: int, reviewer: str, positions: Sequence[int], expires_at: float
    ) -> None:
        """Keep these items for one reviewer until ``expires_at``."""
        if not positions:
            return
        own = (queue_claims.c.queue_id == queue_id, queue_claims.c.reviewer == reviewer)
        connection.execute(
            delete(queue_claims).where(*own, queue_claims.c.position.in_(positions), queue_claims.c.done.is_(False))
        )
        connection.execute(
            insert(queue_claims),
            [
                {
                    "queue_id": queue_id,
                    "position": position,
                    "reviewer": reviewer,
                    "expires_at": expires_at,
                    "done": False,
                }
                for position in positions
            ],
        )

    def must_renew(self, queue_id: int, reviewer: str, earliest: float, latest: float) -> bool:
        """Whether something of what this reviewer has on the screen is kept for a time outside of
        these two."""
        claims = queue_claims.c
        query = (
            select(claims.position)
            .where(
                claims.queue_id == queue_id,
                claims.reviewer == reviewer,
                claims.done.is_(False),
                claims.expires_at > time.time(),
                ~claims.expires_at.between(earliest, latest),
            )
            .limit(1)
        )
        with self._db.read() as connection:
            return connection.execute(query).first() is not None

    def renew(self, queue_id: int, reviewer: str, expires_at: float) -> None:
        """Keep what this reviewer has on the screen for longer."""
        statement = (
            update(queue_claims)
            .where(
                queue_claims.c.queue_id == queue_id,
                queue_claims.c.reviewer == reviewer,
                queue_claims.c.done.is_(False),
                queue_claims.c.expires_at > time.time(),
            )
            .values(expires_at=expires_at)
        )
        write_together(self._db, lambda connection: connection.execute(statement))

    def release(self, queue_id: int, reviewer: str, before: float) -> None:
        """Give back what this reviewer had claimed until ``before``: the page was left."""
        statement = delete(queue_claims).where(
            queue_claims.c.queue_id == queue_id,
            queue_claims.c.reviewer == reviewer,
            queue_claims.c.done.is_(False),
            queue_claims.c.expires_at <= before,
        )
        write_together(self._db, lambda connection: connection.execute(statement))

    def set_done(self, connection: Connection, queue_id: int, position: int, reviewer: str, *, done: bool) -> None:
        """Note that a reviewer has ruled on an item in this queue, or has taken that back."""
        where = (queue_claims.c.queue_id == queue_id, queue_claims.c.position == position)
        changed = connection.execute(
            update(queue_claims).where(*where, queue_claims.c.reviewer == reviewer).values(done=done)
        )
        if not changed.rowcount:
            connection.execute(
                insert(queue_claims).values(
                    queue_id=queue_id, position=position, reviewer=reviewer, expires_at=time.time(), done=done
                )
            )
        number = select(func.count()).where(*where, queue_claims.c.done.is_(True)).scalar_subquery()
        connection.execute(
            update(queue_items)
            .where(queue_items.c.queue_id == queue_id, queue_items.c.position == position)
            .values(rulings=number)
        )


def _here(queue_id: int) -> list[ColumnElement[bool]]:
    return [queue_claims.c.queue_id == queue_id, queue_claims.c.position == queue_items.c.position]


def _claimed_item() -> ColumnElement[bool]:
    return (queue_claims.c.queue_id == queue_items.c.queue_id) & (queue_claims.c.position == queue_items.c.position)
