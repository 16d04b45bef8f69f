"""Reviews: append-only rows, and what they do to the verdicts beside them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, insert, select, update

from backend.store.database import Database
from backend.store.locking import lock_verdicts
from backend.store.look_up import look_up
from backend.store.schema import pairs, predictions, reviews, verdicts
from backend.store.schema import runs as _runs

PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """One ruling. ``relabel`` is relative to ``shown_order``; older rows may have no ``token``.

    ``queue_id`` is the queue in whose room it was made. ``unblinded`` is false where the verdict was
    closed to the reviewer, true where their own blind ruling had opened it, ``None`` where it was not
    made in a blind review.
    """

    id: int
    prediction_id: int
    run_id: int
    ruling: str
    relabel: str | None
    shown_order: str
    note: str
    tags: tuple[str, ...]
    reviewer: str
    replaced: dict[str, Any]
    undoes: int | None
    token: str | None
    created_at: float
    queue_id: int | None = None
    unblinded: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewable:
    """The part of a verdict that a ruling reads."""

    prediction_id: int
    run_id: int
    shown_order: str
    answer: str | None
    decision: str
    ruling: str | None
    effective: str


class Reviews:
    """The reviews of a workspace. Methods that take a connection run inside its transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def newest(self) -> dict[int, int]:
        """The newest review's id by run; runs without reviews are absent."""
        newest = select(func.max(reviews.c.id)).where(reviews.c.run_id == _runs.c.id)
        query = select(_runs.c.id, newest.scalar_subquery())
        with self._db.read() as connection:
            return {run: last for run, last in connection.execute(query) if last is not None}

    def by_token(self, connection: Connection, token: str) -> ReviewRow | None:
        """The review stored under a client's own id."""
        row = connection.execute(select(reviews).where(reviews.c.token == token)).first()
        return None if row is None else _review(row)

    def lock(self, connection: Connection, prediction_ids: Iterable[int]) -> dict[int, Reviewable]:
        """Verdicts by prediction id; unknown ids are absent.

        Nobody else changes their decision before the transaction ends, so that the newest ruling, the
        one with the highest id, is the one in force. Rulings are read, and ids given, after this. Who
        rules on several predictions in one transaction locks all of them by one call.
        """
        ids = set(prediction_ids)
        lock_verdicts(connection, ids)
        return self.verdicts_of(connection, ids)

    def verdicts_of(self, connection: Connection, prediction_ids: Iterable[int]) -> dict[int, Reviewable]:
        """Verdicts by prediction id, to look at; unknown ids are absent."""
        c = verdicts.c
        columns = (c.prediction_id, c.run_id, c.shown_order, c.answer, c.decision, c.ruling, c.effective)
        rows = look_up(connection, columns, c.prediction_id, prediction_ids)
        return {row.prediction_id: Reviewable(**row._mapping) for row in rows}

    def by_tokens(self, connection: Connection, tokens: Sequence[str]) -> dict[str, ReviewRow]:
        """:meth:`by_token` for many; unknown ones are absent."""
        rows = map(_review, look_up(connection, reviews.c, reviews.c.token, tokens))
        return {str(row.token): row for row in rows}

    def of_predictions(self, connection: Connection, prediction_ids: Sequence[int]) -> list[ReviewRow]:
        """Every review of these predictions, oldest first."""
        found = look_up(connection, reviews.c, reviews.c.prediction_id, prediction_ids)
        rows = [_review(row) for row in found]
        return sorted(rows, key=lambda row: row.id)

    def live(self, connection: Connection, prediction_ids: Sequence[int]) -> dict[int, list[ReviewRow]]:
        """Rulings still in force (neither undone nor undo), oldest first, by prediction."""
        rows: dict[int, list[ReviewRow]] = {}
        undone: set[int] = set()
        for row in self.of_predictions(connection, prediction_ids):
            if row.undoes is not None:
                undone.add(row.undoes)
            else:
                rows.setdefault(row.prediction_id, []).append(row)
        return {key: [row for row in stack if row.id not in undone] for key, stack in rows.items()}

    def said_blind(self, connection: Connection, reviewer: str, prediction_ids: Sequence[int]) -> set[int]:
        """Those of these predictions on which this reviewer has made a blind ruling, undone or not:
        their verdict has opened to them since."""
        query = select(reviews.c.prediction_id).where(
            reviews.c.prediction_id.in_(prediction_ids),
            reviews.c.reviewer == reviewer,
            reviews.c.unblinded.is_not(None),
        )
        return set(connection.execute(query).scalars()) if prediction_ids else set()

    def of_act(self, connection: Connection, prefix: str, after: str, limit: int) -> list[ReviewRow]:
        """The rows whose token begins with ``prefix`` and comes behind ``after``, by token."""
        query = (
            select(reviews)
            .where(reviews.c.token > max(after, prefix), reviews.c.token < prefix[:-1] + chr(ord(prefix[-1]) + 1))
            .order_by(reviews.c.token)
            .limit(limit)
        )
        return [_review(row) for row in connection.execute(query)]

    def known_tokens(self, connection: Connection, tokens: Sequence[str]) -> set[str]:
        """Those of the clients' own ids that are stored."""
        query = select(reviews.c.token).where(reviews.c.token.in_(tokens))
        return set(connection.execute(query).scalars()) if tokens else set()

    def without_token(self, connection: Connection, run_id: int) -> list[tuple[int, float]]:
        """Id and time of a run's reviews that an older Winnow stored without a token."""
        query = select(reviews.c.id, reviews.c.created_at).where(reviews.c.run_id == run_id, reviews.c.token.is_(None))
        return [(row.id, row.created_at) for row in connection.execute(query)]

    def set_tokens(self, connection: Connection, tokens: Sequence[tuple[int, str]]) -> None:
        """Give reviews, by their id, the tokens that they lack."""
        if tokens:
            connection.execute(
                update(reviews).where(reviews.c.id == bindparam("r")).values(token=bindparam("t")),
                [{"r": review_id, "t": token} for review_id, token in tokens],
            )

    def append(
        self,
        connection: Connection,
        verdict: Reviewable,
        *,
        ruling: str,
        relabel: str | None,
        note: str,
        tags: Sequence[str],
        reviewer: str,
        replaced: dict[str, Any],
        undoes: int | None,
        token: str,
        queue_id: int | None = None,
        unblinded: bool | None = None,
    ) -> ReviewRow:
        """Insert one row."""
        values: dict[str, Any] = {
            "prediction_id": verdict.prediction_id,
            "run_id": verdict.run_id,
            "ruling": ruling,
            "relabel": relabel,
            "shown_order": verdict.shown_order,
            "note": note,
            "tags": {"tags": list(tags)},
            "reviewer": reviewer,
            "replaced": replaced,
            "undoes": undoes,
            "token": token,
            "created_at": time.time(),
            "queue_id": queue_id,
            "unblinded": unblinded,
        }
        key: Any = connection.execute(insert(reviews).values(**values)).inserted_primary_key
        return ReviewRow(id=int(key[0]), **{**values, "tags": tuple(tags)})

    def append_many(self, connection: Connection, rows: Sequence[ReviewRow]) -> None:
        """Insert rows; their own ids are not looked at."""
        if rows:
            connection.execute(
                insert(reviews),
                [
                    {
                        "prediction_id": row.prediction_id,
                        "run_id": row.run_id,
                        "ruling": row.ruling,
                        "relabel": row.relabel,
                        "shown_order": row.shown_order,
                        "note": row.note,
                        "tags": {"tags": list(row.tags)},
                        "reviewer": row.reviewer,
                        "replaced": row.replaced,
                        "undoes": row.undoes,
                        "token": row.token,
                        "created_at": row.created_at,
                        "unblinded": row.unblinded,
                    }
                    for row in rows
                ],
            )

    def set_verdicts(self, connection: Connection, states: Sequence[tuple[int, ReviewRow | None, str]]) -> None:
        """:meth:`set_verdict` for many: prediction id, ruling in force, effective decision."""
        if states:
            connection.execute(
                update(verdicts)
                .where(verdicts.c.prediction_id == bindparam("p"))
                .values(
                    ruling=bindparam("r"), reviewer=bindparam("w"), reviewed_at=bindparam("t"), effective=bindparam("e")
                ),
                [
                    {
                        "p": prediction_id,
                        "r": top.ruling if top else None,
                        "w": top.reviewer if top else None,
                        "t": top.created_at if top else None,
                        "e": effective,
                    }
                    for prediction_id, top, effective in states
                ],
            )

    def set_verdict(self, connection: Connection, prediction_id: int, top: ReviewRow | None, effective: str) -> None:
        """Write the ruling in force and the effective decision beside the verdict."""
        connection.execute(
            update(verdicts)
            .where(verdicts.c.prediction_id == prediction_id)
            .values(
                ruling=top.ruling if top else None,
                reviewer=top.reviewer if top else None,
                reviewed_at=top.created_at if top else None,
                effective=effective,
            )
        )

    def history(self, prediction_id: int) -> list[ReviewRow]:
        """Every review of a prediction, oldest first."""
        query = select(reviews).where(reviews.c.prediction_id == prediction_id).order_by(reviews.c.id)
        with self._db.read() as connection:
            return [_review(row) for row in connection.execute(query)]

    def iter_run(self, run_id: int) -> Iterator[dict[str, Any]]:
        """A run's reviews with what identifies their prediction, by keyset pages."""
        last = -1
        undone = reviews.alias("undone")
        while True:
            query = (
                select(
                    reviews,
                    undone.c.token.label("undone_token"),
                    undone.c.created_at.label("undone_created_at"),
                    pairs.c.key,
                    pairs.c.idx.label("index"),
                    predictions.c.sample,
                )
                .join(predictions, predictions.c.id == reviews.c.prediction_id)
                .join(pairs, pairs.c.id == predictions.c.pair_id)
                .outerjoin(undone, undone.c.id == reviews.c.undoes)
                .where(reviews.c.run_id == run_id, reviews.c.id > last)
                .order_by(reviews.c.id)
                .limit(PAGE)
            )
            with self._db.read() as connection:
                rows = [dict(row._mapping) for row in connection.execute(query)]
            if not rows:
                return
            last = rows[-1]["id"]
            yield from rows

    def find_predictions(
        self, connection: Connection, run_id: int, *, keys: Collection[str] = (), indexes: Collection[int] = ()
    ) -> dict[tuple[str | int, str, int], int]:
        """The run's predictions of pairs that are named by key or by index: the id by that name, shown
        order and sample."""
        dataset = select(_runs.c.dataset_id).where(_runs.c.id == run_id).scalar_subquery()
        found: dict[tuple[str | int, str, int], int] = {}
        for column, names in ((pairs.c.key, keys), (pairs.c.idx, indexes)):
            if not names:
                continue
            query = (
                select(column, predictions.c.shown_order, predictions.c.sample, predictions.c.id)
                .join(predictions, predictions.c.pair_id == pairs.c.id)
                .where(pairs.c.dataset_id == dataset, column.in_(names), predictions.c.run_id == run_id)
                .order_by(predictions.c.id)
            )
            for name, order, sample, prediction_id in connection.execute(query):
                found.setdefault((name, order, sample), prediction_id)
        return found


def in_force(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of the review whose ruling stands beside a verdict, for a query over ``verdicts``: read
    together with it, so that what one person said is never shown under another's name."""
    return (
        select(column)
        .where(
            reviews.c.prediction_id == verdicts.c.prediction_id,
            reviews.c.reviewer == verdicts.c.reviewer,
            reviews.c.ruling == verdicts.c.ruling,
            reviews.c.created_at == verdicts.c.reviewed_at,
        )
        .order_by(reviews.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _review(row: Row[Any]) -> ReviewRow:
    values = dict(row._mapping)
    values["tags"] = tuple(values["tags"].get("tags", ()))
    return ReviewRow(**values)
