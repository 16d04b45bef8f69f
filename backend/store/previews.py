"""What a set of some runs would hold, and how two versions of a set differ: sums, and samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, and_, func, select

from backend.store.database import Database
from backend.store.schema import pairs, predictions, set_items, verdicts

PAGE = 100
SIDES = ("first", "second")
"""Answers that can be trained on."""
_INT = Integer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """How many predictions have this medium, answer, ruling and effective decision."""

    kind: str
    answer: str | None
    ruling: str | None
    effective: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One prediction of a sample; everything in shown order."""

    run_id: int
    key: str
    shown_order: str
    sample: int
    answer: str
    effective: str
    prompt_length: int
    scores: dict[str, Any]
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A prediction that is in one version and not in the other, or under another label."""

    prediction_id: int
    key: str
    before: str | None
    after: str | None


class Previews:
    """Queries behind a set's preview and behind the comparison of two versions."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def sums(self, run_ids: Sequence[int]) -> list[Sum]:
        """Counts over whole runs, from the narrow table alone."""
        group = (verdicts.c.kind, verdicts.c.answer, verdicts.c.ruling, verdicts.c.effective)
        query = select(*group, func.count().label("count")).where(verdicts.c.run_id.in_(run_ids)).group_by(*group)
        with self._db.read() as connection:
            return [Sum(**row._mapping) for row in connection.execute(query)]

    def captions(self, run_ids: Sequence[int], *, accepted: bool) -> int:
        """How many different pairs the runs judged, or have something accepted of."""
        query = select(func.count(verdicts.c.pair_id.distinct())).where(verdicts.c.run_id.in_(run_ids))
        if accepted:
            query = query.where(verdicts.c.effective == "accepted", verdicts.c.answer.in_(SIDES))
        with self._db.read() as connection:
            return int(connection.execute(query).scalar_one())

    def sample(self, run_ids: Sequence[int], size: int) -> Iterator[Sampled]:
        """About ``size`` predictions with a side for an answer, evenly over the runs."""
        inside = verdicts.c.run_id.in_(run_ids)
        with self._db.read() as connection:
            lowest, highest = connection.execute(
                select(func.min(verdicts.c.prediction_id), func.max(verdicts.c.prediction_id)).where(inside)
            ).one()
            if lowest is None:
                return
            step = max(1, (highest - lowest + 1) // size)
            query = (
                select(
                    verdicts.c.run_id,
                    pairs.c.key,
                    verdicts.c.shown_order,
                    verdicts.c.sample,
                    verdicts.c.answer,
                    verdicts.c.effective,
                    func.length(pairs.c.prompt).label("prompt_length"),
                    verdicts.c.scores,
                    pairs.c.extra,
                )
                .join(pairs, pairs.c.id == verdicts.c.pair_id)
                .where(
                    # Named one by one, so that each is one look-up by key.
                    verdicts.c.prediction_id.in_(range(lowest, highest + 1, step)),
                    inside,
                    verdicts.c.answer.in_(SIDES),
                )
            )
            rows = [Sampled(**row._mapping) for row in connection.execute(query)]
        yield from rows

    def difference(self, before: int, after: int) -> dict[str, int]:
        """Items that two sets share, that only one has, and that have another label."""
        old, new = set_items.alias("old"), set_items.alias("new")
        both = and_(new.c.set_id == after, new.c.prediction_id == old.c.prediction_id)
        with self._db.read() as connection:
            shared, relabelled = connection.execute(
                select(func.count(), func.coalesce(func.sum((old.c.answer != new.c.answer).cast(_INT)), 0))
                .select_from(old.join(new, both))
                .where(old.c.set_id == before)
            ).one()
            sizes = {
                set_id: connection.execute(
                    select(func.count()).select_from(set_items).where(set_items.c.set_id == set_id)
                ).scalar_one()
                for set_id in {before, after}
            }
        return {
            "shared": int(shared),
            "relabelled": int(relabelled),
            "removed": int(sizes[before] - shared),
            "added": int(sizes[after] - shared),
        }

    def only_in(self, one: int, other: int, limit: int = PAGE) -> list[Changed]:
        """The first items of ``one`` that are not in ``other``."""
        item, match = set_items.alias("item"), set_items.alias("match")
        query = (
            select(item.c.prediction_id, pairs.c.key, item.c.answer)
            .select_from(
                item.outerjoin(match, and_(match.c.set_id == other, match.c.prediction_id == item.c.prediction_id))
                .join(predictions, predictions.c.id == item.c.prediction_id)
                .join(pairs, pairs.c.id == predictions.c.pair_id)
            )
            .where(item.c.set_id == one, match.c.prediction_id.is_(None))
            .order_by(item.c.position)
            .limit(limit)
        )
        with self._db.read() as connection:
            return [
                Changed(prediction_id=row.prediction_id, key=row.key, before=row.answer, after=None)
                for row in connection.execute(query)
            ]
