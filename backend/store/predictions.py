"""Predictions with the verdicts on them: what a run leaves behind."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from backend.domain.pairs import Order
from backend.errors import NotFound
from backend.hints import Hint
from backend.store.database import Database, insert_rows
from backend.store.failures import Failures
from backend.store.look_up import look_up
from backend.store.schema import pairs, predictions, verdicts

PAGE = 2_000
Key = tuple[int, str, int]
"""What is unique inside a run: pair id, shown order, sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrediction:
    """One completion and the verdict on it, ready to be stored."""

    pair_id: int
    shown_order: Order
    sample: int
    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    preferred: str
    answer: str | None
    margin: float | None
    flaws: int
    reasoning_hash: int | None
    scores: dict[str, Any]
    kind: str

    @property
    def key(self) -> Key:
        return (self.pair_id, self.shown_order.value, self.sample)


class Predictions:
    """The predictions of a workspace. Writing methods run inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._failures = Failures(database)

    def add(self, connection: Connection, run_id: int, new: Sequence[NewPrediction]) -> list[Key]:
        """Store predictions that are not there yet, with an undecided verdict; returns their keys.

        A failure recorded for the same key is taken back.
        """
        unique = {item.key: item for item in new}
        if not unique:
            return []
        known = self._known(connection, run_id, {item.pair_id for item in new})
        fresh = [item for key, item in unique.items() if key not in known]
        if not fresh:
            return []
        now = time.time()
        # Another process may store the same at the same time: whoever comes second leaves it as it is.
        insert_rows(
            connection,
            predictions,
            [
                {
                    "run_id": run_id,
                    "pair_id": item.pair_id,
                    "shown_order": item.shown_order.value,
                    "sample": item.sample,
                    "text": item.text,
                    "finish_reason": item.finish_reason,
                    "prompt_tokens": item.prompt_tokens,
                    "completion_tokens": item.completion_tokens,
                    "created_at": now,
                }
                for item in fresh
            ],
            unless=("run_id", "pair_id", "shown_order", "sample"),
        )
        ids = self._known(connection, run_id, {item.pair_id for item in fresh})
        insert_rows(
            connection,
            verdicts,
            [
                {
                    "prediction_id": ids[item.key],
                    "run_id": run_id,
                    "pair_id": item.pair_id,
                    "shown_order": item.shown_order.value,
                    "sample": item.sample,
                    "preferred": item.preferred,
                    "answer": item.answer,
                    "margin": item.margin,
                    "flaws": item.flaws,
                    "reasoning_hash": item.reasoning_hash,
                    "scores": item.scores,
                    "kind": item.kind,
                    "text_length": len(item.text),
                    "decision": "rejected",
                    "reason": "undecided",
                    "effective": "rejected",
                }
                for item in fresh
            ],
            unless=("prediction_id",),
        )
        self._failures.forget(connection, run_id, [item.key for item in fresh])
        return [item.key for item in fresh]

    def _known(self, connection: Connection, run_id: int, pair_ids: Collection[int]) -> dict[Key, int]:
        c = predictions.c
        columns = (c.pair_id, c.shown_order, c.sample, c.id)
        rows = look_up(connection, columns, c.pair_id, pair_ids, run_id=run_id)
        return {(pair_id, order, sample): number for pair_id, order, sample, number in rows}

    def known(self, run_id: int, pair_ids: Iterable[int]) -> set[Key]:
        """Keys of the predictions that these pairs have already."""
        with self._db.read() as connection:
            return set(self._known(connection, run_id, set(pair_ids)))

    def find(
        self,
        run_id: int,
        *,
        prediction: int | None = None,
        index: int | None = None,
        key: str | None = None,
        order: str | None = None,
        sample: int = 0,
    ) -> int:
        """The id of one prediction, named by its id, or by its pair with order and sample.

        Raises:
            NotFound: There is none, or the pair was judged in both orders and none was given.
        """
        query = (
            select(predictions.c.id)
            .join(pairs, pairs.c.id == predictions.c.pair_id)
            .where(predictions.c.run_id == run_id)
        )
        if prediction is not None:
            query = query.where(predictions.c.id == prediction)
        else:
            query = query.where(predictions.c.sample == sample)
            place = pairs.c.idx == index if index is not None else pairs.c.key == key
            query = query.where(place)
            if order is not None:
                query = query.where(predictions.c.shown_order == order)
        with self._db.read() as connection:
            found = connection.execute(query.limit(2)).scalars().all()
        if not found:
            raise NotFound(
                f"run {run_id} has no such prediction", hint=Hint("{LIST_PREDICTIONS} lists them", on=run_id)
            )
        if len(found) > 1:
            raise NotFound("the pair was judged in both orders", hint=Hint("say {order:dataset} or {order:swapped}"))
        return int(found[0])

    def state(self, prediction_id: int) -> dict[str, Any]:
        """Decision, reason, ruling and effective decision of one prediction."""
        query = select(verdicts.c.decision, verdicts.c.reason, verdicts.c.ruling, verdicts.c.effective).where(
            verdicts.c.prediction_id == prediction_id
        )
        with self._db.read() as connection:
            return dict(connection.execute(query).one()._mapping)

    def iter_rows(
        self, run_id: int, *, decision: str | None = None, reason: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Whole predictions with pair and verdict, by keyset pages, oldest first."""
        last = -1
        while True:
            query = (
                select(
                    predictions.c.id,
                    pairs.c.key,
                    pairs.c.idx.label("index"),
                    pairs.c.kind,
                    pairs.c.prompt,
                    predictions.c.shown_order.label("order"),
                    predictions.c.sample,
                    predictions.c.text,
                    predictions.c.finish_reason,
                    verdicts.c.answer,
                    verdicts.c.preferred.label("preference"),
                    verdicts.c.margin,
                    verdicts.c.flaws,
                    verdicts.c.scores,
                    verdicts.c.decision,
                    verdicts.c.reason,
                    verdicts.c.ruling,
                    verdicts.c.effective,
                )
                .join(pairs, pairs.c.id == predictions.c.pair_id)
                .join(verdicts, verdicts.c.prediction_id == predictions.c.id)
                .where(predictions.c.run_id == run_id, predictions.c.id > last)
                .order_by(predictions.c.id)
                .limit(PAGE)
            )
            if decision:
                query = query.where(verdicts.c.decision == decision)
            if reason:
                query = query.where(verdicts.c.reason == reason)
            with self._db.read() as connection:
                rows = [dict(row._mapping) for row in connection.execute(query)]
            if not rows:
                return
            last = rows[-1]["id"]
            yield from rows
