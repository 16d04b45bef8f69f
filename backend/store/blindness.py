"""What a reviewer of a blind queue may know by now."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from backend.store.database import Database
from backend.store.queues import QueueRow
from backend.store.schema import predictions, queue_claims, queue_items


class Blindness:
    """The predictions whose verdict and label are still hidden from somebody."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def waiting(self, queue: QueueRow, reviewer: str, numbers: Collection[int]) -> set[int]:
        """Those of these predictions that are items of the queue and wait for this reviewer."""
        with self._db.read() as connection:
            items = self._items(connection, queue, reviewer, numbers)
        return {number for number, done in items.items() if not done}

    def open_to(self, queue: QueueRow, reviewer: str, number: int) -> bool:
        """Whether this reviewer may see the verdict of a prediction.

        They may when they have ruled on it in this queue, or, if it is no item of the queue, on
        another sample or order of the same pair in the same run.
        """
        with self._db.read() as connection:
            own = self._items(connection, queue, reviewer, [number])
            if own:
                return own[number]
            pair = predictions.alias()
            family = connection.scalars(
                select(predictions.c.id)
                .join(
                    pair,
                    (pair.c.run_id == predictions.c.run_id)
                    & (pair.c.pair_id == predictions.c.pair_id),
                )
                .where(pair.c.id == number)
            ).all()
            return any(self._items(connection, queue, reviewer, family).values())

    def _items(
        self, connection: Connection, queue: QueueRow, reviewer: str, numbers: Collection[int]
    ) -> dict[int, bool]:
        """Which of these are items of the queue, and whether the reviewer has ruled on them."""
        query = (
            select(queue_items.c.prediction_id, queue_claims.c.done)
            .outerjoin(
                queue_claims,
                (queue_claims.c.queue_id == queue_items.c.queue_id)
                & (queue_claims.c.position == queue_items.c.position)
                & (queue_claims.c.reviewer == reviewer),
            )
            .where(queue_items.c.queue_id == queue.id, queue_items.c.prediction_id.in_(numbers))
        )
        return {number: bool(done) for number, done in connection.execute(query)}
