"""Which predictions a review queue is made of, as ids: what a filter of Browse finds, and what none can say.

Only ids come back, by keyset pages or as one sorted list that is cut off, so that choosing from a
million predictions loads neither their text nor all of their rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, select

from backend.domain.browse import BrowseFilter
from backend.domain.rulings import SETTLING
from backend.store.browse import Browse, sort_key
from backend.store.database import Database
from backend.store.schema import reviews, verdicts

PAGE = 20_000

_SETTLING = sorted(SETTLING)


class Picks:
    """Ids of predictions for review. No run ids mean all runs.

    Args:
        at_most: Of what is sorted, as many.
    """

    def __init__(self, database: Database, at_most: int) -> None:
        self._db = database
        self._at_most = at_most

    def matching(self, run_ids: Sequence[int], wanted: BrowseFilter) -> Iterator[int]:
        """What a filter finds, in its order; the filter's own runs are left empty."""
        holds = Browse(self._db).condition(wanted)
        if wanted.sort == "oldest":
            return self._pages(run_ids, holds)
        key, descending = sort_key(wanted)
        order = (key.desc() if descending else key, verdicts.c.prediction_id)
        query = select(verdicts.c.prediction_id).where(holds, *_of(run_ids)).order_by(*order)
        return self._sorted(query)

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
        return self._pages(run_ids, live)

    def suspect_labels(self, run_ids: Sequence[int], votes: int, agreement: float) -> Iterator[int]:
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
        )
        return self._sorted(query)

    def _sorted(self, query: Select[Any]) -> Iterator[int]:
        yield from self._all(query.limit(self._at_most))

    def _all(self, query: Select[Any]) -> list[int]:
        with self._db.read() as connection:
            return list(connection.execute(query).scalars())

    def _pages(self, run_ids: Sequence[int], holds: ColumnElement[bool]) -> Iterator[int]:
        last = -1
        while True:
            query = (
                select(verdicts.c.prediction_id)
                .where(verdicts.c.prediction_id > last, holds, *_of(run_ids))
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
