"""What a pair viewer shows of predictions: one query a page, and one for their siblings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from backend.store.database import Database
from backend.store.reviews import in_force
from backend.store.schema import pairs, predictions, reviews, runs, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """Another prediction of the same pair in the same run."""

    id: int
    order: str
    sample: int
    answer: str | None
    effective: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A prediction with its pair and verdict. Sides are those of the shown order, except that
    ``pair_id`` names media whose files are in dataset order."""

    id: int
    run_id: int
    pair_id: int
    model: str
    index: int
    kind: str
    prompt: str
    order: str
    sample: int
    text: str
    finish_reason: str | None
    preferred: str
    answer: str | None
    margin: float | None
    flaws: int
    scores: dict[str, Any]
    decision: str
    reason: str
    ruling: str | None
    relabel: str | None
    """The side that the ruling in force calls better, where it is a relabel."""
    reviewer: str | None
    effective: str
    siblings: list[Sibling] = field(default_factory=list)


_COLUMNS = (
    predictions.c.id,
    predictions.c.run_id,
    predictions.c.pair_id,
    runs.c.model,
    pairs.c.idx.label("index"),
    pairs.c.kind,
    pairs.c.prompt,
    predictions.c.shown_order.label("order"),
    predictions.c.sample,
    predictions.c.text,
    predictions.c.finish_reason,
    verdicts.c.preferred,
    verdicts.c.answer,
    verdicts.c.margin,
    verdicts.c.flaws,
    verdicts.c.scores,
    verdicts.c.decision,
    verdicts.c.reason,
    verdicts.c.ruling,
    in_force(reviews.c.relabel).label("relabel"),
    verdicts.c.reviewer,
    verdicts.c.effective,
)


class Items:
    """Predictions as a viewer shows them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, prediction_ids: Sequence[int]) -> dict[int, Item]:
        """Items by prediction id; unknown ids are absent."""
        query = (
            select(*_COLUMNS)
            .join(pairs, pairs.c.id == predictions.c.pair_id)
            .join(verdicts, verdicts.c.prediction_id == predictions.c.id)
            .join(runs, runs.c.id == predictions.c.run_id)
            .where(predictions.c.id.in_(prediction_ids))
        )
        with self._db.read() as connection:
            items = {row.id: Item(**row._mapping) for row in connection.execute(query)}
            self._add_siblings(connection, items)
        return items

    def _add_siblings(self, connection: Connection, items: dict[int, Item]) -> None:
        pairs_of: dict[int, set[int]] = defaultdict(set)
        for item in items.values():
            pairs_of[item.run_id].add(item.pair_id)
        found: dict[tuple[int, int], list[Sibling]] = defaultdict(list)
        for run_id, pair_ids in pairs_of.items():
            query = (
                select(
                    verdicts.c.prediction_id,
                    verdicts.c.pair_id,
                    verdicts.c.shown_order,
                    verdicts.c.sample,
                    verdicts.c.answer,
                    verdicts.c.effective,
                )
                .where(verdicts.c.run_id == run_id, verdicts.c.pair_id.in_(pair_ids))
                .order_by(verdicts.c.shown_order, verdicts.c.sample)
            )
            for row in connection.execute(query):
                found[(run_id, row.pair_id)].append(
                    Sibling(
                        id=row.prediction_id,
                        order=row.shown_order,
                        sample=row.sample,
                        answer=row.answer,
                        effective=row.effective,
                    )
                )
        for item in items.values():
            item.siblings.extend(found[(item.run_id, item.pair_id)])
