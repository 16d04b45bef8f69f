"""Which predictions a review queue is made of: one query a kind, in pages of ids.

Only ids come back, by keyset pages or as one sorted list that is cut off, so that choosing from a
million predictions loads neither their text nor all of their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, select

from backend.domain.rulings import SETTLING
from backend.store.database import Database
from backend.store.schema import reviews, verdicts

PAGE = 20_000

_SETTLING = sorted(SETTLING)


class Picks:
    """Ids of predictions for review. No run ids mean all runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def unreviewed(self, run_ids: Sequence[int]) -> Iterator[int]:
        """What nobody has ruled on, oldest first."""
        return self._pages(run_ids, lambda: verdicts.c.ruling.is_(None))

    def decided(self, run_ids: Sequence[int], decision: str) -> Iterator[int]:
        """What the filter accepted, or rejected, oldest first, reviewed or not."""
        return self._pages(run_ids, lambda: verdicts.c.decision == decision)

    def flawed(self, run_ids: Sequence[int], mask: int) -> Iterator[int]:
        """What has any of the flaws in ``mask``, oldest first."""
        return self._pages(run_ids, lambda: verdicts.c.flaws.bitwise_and(mask) != 0)

    def flagged(self, run_ids: Sequence[int]) -> Iterator[int]:
        """What somebody flagged and nobody has settled since, oldest first."""
        flag, undo, later, undone = (reviews.alias(name) for name in ("f", "u", "s", "su"))
        settled = exists().where(
            later.c.prediction_id == flag.c.prediction_id,
            later.c.id > flag.c.id,
            later.c.ruling.in_(_SETTLING),
            ~exists().where(undone.c.undoes == later.c.id, *_same(undone, later)),
        )
        live = exists().where(
            flag.c.prediction_id == verdicts.c.prediction_id,
            flag.c.ruling == "flag",
            ~exists().where(undo.c.undoes == flag.c.id, *_same(undo, flag)),
            ~settled,
        )
        return self._pages(run_ids, lambda: live)

    def wide_margin(self, run_ids: Sequence[int], margin: float, limit: int) -> list[int]:
        """What the filter rejected because the judge was sure of the other side; surest first."""
        query = (
            select(verdicts.c.prediction_id)
            .where(
                verdicts.c.decision == "rejected",
                verdicts.c.reason == "disagrees",
                verdicts.c.margin >= margin,
                *_of(run_ids),
            )
            .order_by(verdicts.c.margin.desc(), verdicts.c.prediction_id)
            .limit(limit)
        )
        return self._all(query)

    def suspect_labels(self, run_ids: Sequence[int], votes: int, agreement: float, limit: int) -> list[int]:
        """One prediction of each pair whose answers contradict the recorded preference; none of a pair
        on which somebody has ruled, for its label has been looked at.

        Answers and preferences are compared in one shown order, so that samples, orders and runs
        count alike: an answer for a side that is not the preferred one is a vote against the label.

        Args:
            votes: How many readable answers a pair needs.
            agreement: The share of them that must be against the label.
        """
        against = against_label()
        number = func.sum(case((against, 1), else_=0))
        ruled = verdicts.alias()
        looked_at = select(ruled.c.pair_id).where(ruled.c.ruling.in_(_SETTLING))
        query = (
            select(func.min(case((against, verdicts.c.prediction_id))))
            .where(
                verdicts.c.preferred != "tie",
                verdicts.c.answer.is_not(None),
                verdicts.c.pair_id.not_in(looked_at),
                *_of(run_ids),
            )
            .group_by(verdicts.c.pair_id)
            .having(func.count() >= votes, number >= 1, number >= agreement * func.count())
            .order_by(number.desc(), verdicts.c.pair_id)
            .limit(limit)
        )
        return self._all(query)

    def _all(self, query: Select[Any]) -> list[int]:
        with self._db.read() as connection:
            return list(connection.execute(query).scalars())

    def _pages(self, run_ids: Sequence[int], condition: Callable[[], ColumnElement[bool]]) -> Iterator[int]:
        last = -1
        while True:
            query = (
                select(verdicts.c.prediction_id)
                .where(verdicts.c.prediction_id > last, condition(), *_of(run_ids))
                .order_by(verdicts.c.prediction_id)
                .limit(PAGE)
            )
            ids = self._all(query)
            yield from ids
            if len(ids) < PAGE:
                return
            last = ids[-1]


def against_label() -> ColumnElement[bool]:
    """The condition that an answer names the side that the recorded preference does not."""
    return and_(verdicts.c.answer.in_(("first", "second")), verdicts.c.answer != verdicts.c.preferred)


def _of(run_ids: Sequence[int]) -> list[ColumnElement[bool]]:
    # Plus zero keeps the planner from an index over runs, which would sort all of a run for every
    # page; ids are read in the order of the rows.
    return [(verdicts.c.run_id + 0).in_(run_ids)] if run_ids else []


def _same(a: Any, b: Any) -> list[ColumnElement[bool]]:
    # The index is over the prediction: without it every undo of the workspace would be looked at.
    return [a.c.prediction_id == b.c.prediction_id]
