"""What a reviewer of a blind queue may know by now."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, func, select

from backend.store.database import Database
from backend.store.queues import QueueRow, QueueRows, is_blind
from backend.store.schema import predictions, queue_claims, queue_items, review_queues, reviews


class Blindness:
    """The predictions whose verdict and label are still hidden from somebody."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def waiting(self, queue: QueueRow, reviewer: str, numbers: Collection[int]) -> set[int]:
        """Those of these predictions that are items of the queue and wait for this reviewer."""
        with self._db.read() as connection:
            items = self._items(connection, queue, reviewer, numbers)
        return {number for number, done in items.items() if not done}

    def held_back(self, reviewer: str, numbers: Collection[int]) -> dict[int, int]:
        """Those of these predictions that wait for this reviewer in any blind queue, with its id.

        They wait as long as the queue is not closed and wants rulings on them, and this reviewer has
        not ruled on them since the queue was made, wherever that was.

        Args:
            numbers: A page of them; each is looked up.
        """
        if not numbers:
            return {}
        blind = {queue.id: queue for queue in QueueRows(self._db).blind()}
        if not blind:
            return {}
        query = (
            select(queue_items.c.queue_id, queue_items.c.prediction_id, queue_items.c.rulings, queue_claims.c.done)
            .outerjoin(queue_claims, _claim_of(reviewer))
            .where(queue_items.c.queue_id.in_(blind), queue_items.c.prediction_id.in_(numbers))
            .order_by(queue_items.c.queue_id)
        )
        with self._db.read() as connection:
            waiting = [
                (number, blind[queue])
                for queue, number, rulings, done in connection.execute(query)
                if not done and rulings < blind[queue].rulings_wanted
            ]
            ruled = self._newest_rulings(connection, reviewer, {number for number, _ in waiting})
        return {number: queue.id for number, queue in waiting if ruled.get(number, 0.0) < queue.created_at}

    def _newest_rulings(self, connection: Connection, reviewer: str, numbers: Collection[int]) -> dict[int, float]:
        """When this reviewer last ruled on each of these, of the rulings not taken back."""
        undo = reviews.alias()
        taken_back = (
            select(undo.c.id)
            .where(undo.c.prediction_id == reviews.c.prediction_id, undo.c.undoes == reviews.c.id)
            .exists()
        )
        query = (
            select(reviews.c.prediction_id, func.max(reviews.c.created_at))
            .where(
                reviews.c.prediction_id.in_(numbers),
                reviews.c.reviewer == reviewer,
                reviews.c.ruling.not_in(("undo", "note")),
                ~taken_back,
            )
            .group_by(reviews.c.prediction_id)
        )
        return {number: float(at) for number, at in connection.execute(query)} if numbers else {}

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
                .join(pair, (pair.c.run_id == predictions.c.run_id) & (pair.c.pair_id == predictions.c.pair_id))
                .where(pair.c.id == number)
            ).all()
            return any(self._items(connection, queue, reviewer, family).values())

    def opened(self, connection: Connection, number: int, reviewer: str, *, besides: Collection[str]) -> bool | None:
        """Whether a ruling of this reviewer has opened the verdict of a prediction to them.

        It stays open to them when they take that ruling back: what was seen is seen.

        Args:
            besides: Tokens of rulings that do not count.

        Returns:
            ``None`` where they have made no blind ruling, and no blind queue wants one.
        """
        # By the queues, of which few are blind: items are found by their queue, and not without one.
        blind = connection.execute(select(review_queues.c.id, review_queues.c.created_at).where(is_blind())).all()
        wanted = select(queue_items.c.queue_id).where(
            queue_items.c.queue_id.in_([queue.id for queue in blind]), queue_items.c.prediction_id == number
        )
        holding = set(connection.scalars(wanted)) if blind else set()
        made_at = min((queue.created_at for queue in blind if queue.id in holding), default=None)
        rows = connection.execute(
            select(reviews.c.token, reviews.c.created_at, reviews.c.unblinded).where(
                reviews.c.prediction_id == number, reviews.c.reviewer == reviewer, reviews.c.ruling != "note"
            )
        ).all()
        earlier = [row for row in rows if row.token not in besides]
        if any(row.unblinded is not None for row in earlier):
            return True
        return None if made_at is None else any(row.created_at >= made_at for row in earlier)

    def _items(
        self, connection: Connection, queue: QueueRow, reviewer: str, numbers: Collection[int]
    ) -> dict[int, bool]:
        """Which of these are items of the queue, and whether the reviewer has ruled on them."""
        query = (
            select(queue_items.c.prediction_id, queue_claims.c.done)
            .outerjoin(queue_claims, _claim_of(reviewer))
            .where(queue_items.c.queue_id == queue.id, queue_items.c.prediction_id.in_(numbers))
        )
        return {number: bool(done) for number, done in connection.execute(query)}


def _claim_of(reviewer: str) -> ColumnElement[bool]:
    return (
        (queue_claims.c.queue_id == queue_items.c.queue_id)
        & (queue_claims.c.position == queue_items.c.position)
        & (queue_claims.c.reviewer == reviewer)
    )
