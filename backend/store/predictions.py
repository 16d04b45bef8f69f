"""Predictions, the verdicts on them, and failures: what a run leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from backend.domain.pairs import Order
from backend.domain.rulings import SETTLING
from backend.errors import NotFound
from backend.store.database import Database
from backend.store.schema import failures, pairs, predictions, runs, verdicts

PAGE = 2_000
# Not IN: its list of values cannot be sent for many rows at once.
_SETTLED = or_(*(verdicts.c.ruling == ruling.value for ruling in sorted(SETTLING)))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFailure:
    """A prediction that could not be made."""

    pair_id: int
    shown_order: Order
    sample: int
    error: str
    hint: str | None


@dataclass(slots=True)
class Judged:
    """The part of a verdict that deciding needs."""

    prediction_id: int
    pair_id: int
    order: str
    sample: int
    preferred: str
    answer: str | None
    margin: float | None
    flaws: int
    reasoning_hash: int | None
    decision: str
    reason: str
    ruling: str | None
    effective: str


_JUDGED = (
    verdicts.c.prediction_id,
    verdicts.c.pair_id,
    verdicts.c.shown_order,
    verdicts.c.sample,
    verdicts.c.preferred,
    verdicts.c.answer,
    verdicts.c.margin,
    verdicts.c.flaws,
    verdicts.c.reasoning_hash,
    verdicts.c.decision,
    verdicts.c.reason,
    verdicts.c.ruling,
    verdicts.c.effective,
)


class Predictions:
    """The predictions of a workspace. Writing methods run inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

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
        ids = connection.execute(
            insert(predictions).returning(predictions.c.id, sort_by_parameter_order=True),
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
        ).scalars()
        connection.execute(
            insert(verdicts),
            [
                {
                    "prediction_id": prediction_id,
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
                for prediction_id, item in zip(ids, fresh, strict=True)
            ],
        )
        self._forget_failures(connection, run_id, fresh)
        return [item.key for item in fresh]

    def _known(self, connection: Connection, run_id: int, pair_ids: set[int]) -> set[Key]:
        rows = connection.execute(
            select(predictions.c.pair_id, predictions.c.shown_order, predictions.c.sample).where(
                predictions.c.run_id == run_id, predictions.c.pair_id.in_(pair_ids)
            )
        )
        return {(pair_id, order, sample) for pair_id, order, sample in rows}

    def _forget_failures(
        self, connection: Connection, run_id: int, made: Sequence[NewPrediction]
    ) -> None:
        keys = [item.key for item in made]
        connection.execute(
            delete(failures).where(
                failures.c.run_id == run_id,
                tuple_(failures.c.pair_id, failures.c.shown_order, failures.c.sample).in_(keys),
            )
        )

    def known(self, run_id: int, pair_ids: Iterable[int]) -> set[Key]:
        """Keys of the predictions that these pairs have already."""
        with self._db.read() as connection:
            return self._known(connection, run_id, set(pair_ids))

    def add_failures(self, connection: Connection, run_id: int, new: Sequence[NewFailure]) -> None:
        """Record what could not be made; a repeated failure counts another attempt."""
        for item in new:
            key = (
                failures.c.run_id == run_id,
                failures.c.pair_id == item.pair_id,
                failures.c.shown_order == item.shown_order.value,
                failures.c.sample == item.sample,
            )
            values = {"error": item.error, "hint": item.hint, "created_at": time.time()}
            again = connection.execute(
                update(failures).where(*key).values(attempts=failures.c.attempts + 1, **values)
            )
            if not again.rowcount:
                connection.execute(
                    insert(failures).values(
                        run_id=run_id,
                        pair_id=item.pair_id,
                        shown_order=item.shown_order.value,
                        sample=item.sample,
                        attempts=1,
                        **values,
                    )
                )

    def failures(self, run_id: int) -> list[dict[str, Any]]:
        """What could not be made, with the pair's place in its dataset."""
        query = (
            select(
                pairs.c.key,
                pairs.c.idx.label("index"),
                failures.c.shown_order.label("order"),
                failures.c.sample,
                failures.c.error,
                failures.c.hint,
                failures.c.attempts,
            )
            .join(pairs, pairs.c.id == failures.c.pair_id)
            .where(failures.c.run_id == run_id)
            .order_by(failures.c.id)
        )
        with self._db.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def judged_of(
        self, connection: Connection, run_id: int, pair_ids: Iterable[int]
    ) -> list[Judged]:
        """The verdicts on some pairs, those of one pair together."""
        query = (
            select(*_JUDGED)
            .where(verdicts.c.run_id == run_id, verdicts.c.pair_id.in_(set(pair_ids)))
            .order_by(verdicts.c.pair_id, verdicts.c.prediction_id)
        )
        return [Judged(*tuple(row)) for row in connection.execute(query)]

    def iter_judged(
        self, connection: Connection, run_id: int, page: int = 50_000
    ) -> Iterator[list[Judged]]:
        """The verdicts of a run in pages of whole pairs, ordered by pair."""
        last = -1
        while rows := self.judged_page(connection, run_id, last, page):
            last = rows[-1].pair_id
            yield rows

    def judged_page(
        self, connection: Connection, run_id: int, after_pair: int, page: int
    ) -> list[Judged]:
        """The verdicts on the whole pairs behind ``after_pair``, about ``page`` of them."""
        query = (
            select(*_JUDGED)
            .where(verdicts.c.run_id == run_id, verdicts.c.pair_id > after_pair)
            .order_by(verdicts.c.pair_id)
            .limit(page)
        )
        rows = [Judged(*tuple(row)) for row in connection.execute(query)]
        if len(rows) < page:
            return rows
        # The page may end inside a pair: leave that pair to the next page.
        cut = rows[-1].pair_id
        whole = [row for row in rows if row.pair_id != cut]
        return whole or self.judged_of(connection, run_id, [cut])

    def decide(self, connection: Connection, changed: Sequence[Judged]) -> None:
        """Write decision, reason, effective decision and flaws back.

        The effective decision only where no ruling settled the matter: one may have been recorded
        since the verdicts were read.
        """
        if changed:
            connection.execute(
                update(verdicts)
                .where(verdicts.c.prediction_id == bindparam("p"))
                .values(
                    decision=bindparam("d"),
                    reason=bindparam("r"),
                    effective=case(
                        (_SETTLED, verdicts.c.effective),
                        else_=bindparam("d"),
                    ),
                    flaws=bindparam("f"),
                ),
                [
                    {
                        "p": item.prediction_id,
                        "d": item.decision,
                        "r": item.reason,
                        "f": item.flaws,
                    }
                    for item in changed
                ],
            )

    def repeated_reasoning(self, connection: Connection, run_id: int, threshold: int) -> set[int]:
        """Hashes of reasoning that stands on at least ``threshold`` different pairs."""
        query = (
            select(verdicts.c.reasoning_hash)
            .where(verdicts.c.run_id == run_id, verdicts.c.reasoning_hash.is_not(None))
            .group_by(verdicts.c.reasoning_hash)
            .having(func.count(verdicts.c.pair_id.distinct()) >= threshold)
        )
        return set(connection.execute(query).scalars())

    def set_policy(self, connection: Connection, run_id: int, policy: dict[str, Any]) -> None:
        """Record the policy now in force."""
        connection.execute(update(runs).where(runs.c.id == run_id).values(policy=policy))

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
                f"run {run_id} has no such prediction", hint=f"`winnow run predictions {run_id}`"
            )
        if len(found) > 1:
            raise NotFound(
                "the pair was judged in both orders", hint="say --order dataset or --order swapped"
            )
        return int(found[0])

    def state(self, prediction_id: int) -> dict[str, Any]:
        """Decision, reason, ruling and effective decision of one prediction."""
        query = select(
            verdicts.c.decision, verdicts.c.reason, verdicts.c.ruling, verdicts.c.effective
        ).where(verdicts.c.prediction_id == prediction_id)
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
