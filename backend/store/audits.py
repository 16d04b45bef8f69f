"""Rulings made in queues: as their rooms show them to the reviewer, and as audits count them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, and_, or_, select

from backend.domain.rulings import SETTLING
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
    unblinded: bool | None


class Audits:
    """Rulings made in review queues."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def rulings(self, queue: QueueRow, positions: list[int] | None = None, *, reviewer: str) -> list[QueueRuling]:
        """A reviewer's newest ruling in force on each of these items (all, when none is named) that
        they are done with."""
        query = (
            _rulings(queue)
            .join(
                queue_claims,
                (queue_claims.c.queue_id == queue_items.c.queue_id)
                & (queue_claims.c.position == queue_items.c.position)
                & (queue_claims.c.reviewer == reviews.c.reviewer),
            )
            .where(queue_claims.c.reviewer == reviewer, queue_claims.c.done.is_(True), _undo.c.id.is_(None))
        )
        if positions is not None:
            query = query.where(queue_items.c.position.in_(positions))
        newest: dict[int, QueueRuling] = {}
        for row in self._read(query):
            if row.ruling != "note":
                newest[row.position] = row
            elif own := newest.get(row.position):
                newest[row.position] = replace(own, note=row.note, tags=row.tags)
        return list(newest.values())

    def counted(self, queue: QueueRow) -> list[QueueRuling]:
        """The ruling of each reviewer on each item that audits count: the newest in force of those
        made in this queue's room before the verdict opened, where it was closed at all.

        A changed mind is none of them, and taking a blind ruling back after it had opened does not
        take it out: the audit is of what people say who do not know the answer.
        """
        query = _rulings(queue).where(
            reviews.c.queue_id == queue.id,
            reviews.c.ruling != "note",
            reviews.c.unblinded.is_not(True),
            or_(_undo.c.id.is_(None), and_(_undo.c.unblinded.is_(True), reviews.c.unblinded.is_(False))),
        )
        newest: dict[tuple[int, str], QueueRuling] = {}
        for row in self._read(query):
            place = (row.position, row.reviewer)
            # A flag beside a ruling that decides asks for another look, and takes nothing back.
            if row.ruling in SETTLING or place not in newest:
                newest[place] = row
        return list(newest.values())

    def _read(self, query: Select[Any]) -> Iterator[QueueRuling]:
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            values = dict(row._mapping)
            values["tags"] = tuple((values["tags"] or {}).get("tags", ()))
            yield QueueRuling(**values)


_undo = reviews.alias("undo")


def _rulings(queue: QueueRow) -> Select[Any]:
    """What was said since the queue was made about its items, oldest first, with the undo of each."""
    return (
        select(
            reviews.c.id.label("review_id"),
            queue_items.c.position,
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
            reviews.c.unblinded,
        )
        .select_from(reviews)
        .join(queue_items, queue_items.c.prediction_id == reviews.c.prediction_id)
        .join(verdicts, verdicts.c.prediction_id == queue_items.c.prediction_id)
        .outerjoin(_undo, (_undo.c.prediction_id == reviews.c.prediction_id) & (_undo.c.undoes == reviews.c.id))
        .where(queue_items.c.queue_id == queue.id, reviews.c.created_at >= queue.created_at, reviews.c.ruling != "undo")
        .order_by(reviews.c.id)
    )
