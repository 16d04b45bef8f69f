"""Rulings as audit statistics count them: the newest of each reviewer on each item of a queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select

from backend.store.database import Database
from backend.store.queues import QueueRow
from backend.store.schema import queue_claims, queue_items, reviews, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRuling:
    """One reviewer's ruling on one item, beside what judge and label say, with the newest note of
    theirs. Everything that names a side is in the shown order."""

    review_id: int
    position: int
    reviewer: str
    ruling: str
    relabel: str | None
    answer: str | None
    preferred: str
    decision: str
    created_at: float
    token: str | None
    note: str
    tags: tuple[str, ...]


class Audits:
    """Rulings made in review queues."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def rulings(
        self, queue: QueueRow, positions: list[int] | None = None, reviewer: str | None = None
    ) -> list[QueueRuling]:
        """The newest ruling in force of each reviewer on each item, made in this queue."""
        newest: dict[tuple[int, str], QueueRuling] = {}
        for row in self._live(queue, positions, reviewer):
            place = (row.position, row.reviewer)
            if row.ruling != "note":
                newest[place] = row
            elif own := newest.get(place):
                newest[place] = replace(own, note=row.note, tags=row.tags)
        return list(newest.values())

    def _live(
        self, queue: QueueRow, positions: list[int] | None, reviewer: str | None
    ) -> Iterator[QueueRuling]:
        undo = reviews.alias("undo")
        query = (
            select(
                reviews.c.id.label("review_id"),
                queue_claims.c.position,
                reviews.c.reviewer,
                reviews.c.ruling,
                reviews.c.relabel,
                verdicts.c.answer,
                verdicts.c.preferred,
                verdicts.c.decision,
                reviews.c.created_at,
                reviews.c.token,
                reviews.c.note,
                reviews.c.tags,
            )
            .select_from(queue_claims)
            .join(
                queue_items,
                (queue_items.c.queue_id == queue_claims.c.queue_id)
                & (queue_items.c.position == queue_claims.c.position),
            )
            .join(
                reviews,
                (reviews.c.prediction_id == queue_items.c.prediction_id)
                & (reviews.c.reviewer == queue_claims.c.reviewer),
            )
            .join(verdicts, verdicts.c.prediction_id == queue_items.c.prediction_id)
            .outerjoin(
                undo,
                (undo.c.prediction_id == reviews.c.prediction_id) & (undo.c.undoes == reviews.c.id),
            )
            .where(
                queue_claims.c.queue_id == queue.id,
                queue_claims.c.done.is_(True),
                reviews.c.created_at >= queue.created_at,
                reviews.c.ruling != "undo",
                undo.c.id.is_(None),
            )
            .order_by(reviews.c.id)
        )
        if positions is not None:
            query = query.where(queue_claims.c.position.in_(positions))
        if reviewer is not None:
            query = query.where(queue_claims.c.reviewer == reviewer)
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            values = dict(row._mapping)
            values["tags"] = tuple((values["tags"] or {}).get("tags", ()))
            yield QueueRuling(**values)
