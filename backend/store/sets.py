"""Curated sets and their items, and reading the predictions that go into them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from backend.errors import NotFound
from backend.hints import Hint
from backend.media.paths import MediaRoot
from backend.store.database import Database
from backend.store.dataset_links import links_of
from backend.store.schema import curated_sets, datasets, pairs, predictions, reviews, runs, set_items, verdicts

PAGE = 5_000
_NAME_LOCK = 730_946  # any number, as long as it is always the same


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRow:
    """One version of a curated set."""

    id: int
    name: str
    version: int
    status: str
    content_hash: str | None
    lineage: dict[str, Any]
    counts: dict[str, Any]
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownItem:
    """What a picture of one item shows. Sides are those of the shown order; ``answer`` is as it was
    frozen, by ``basis``: ``filter``, ``accept`` or ``relabel``."""

    position: int
    prediction_id: int
    run_id: int
    pair_id: int
    kind: str
    prompt: str
    order: str
    preferred: str
    answer: str
    basis: str
    margin: float | None


class ItemRow(NamedTuple):
    """A prediction with the pair it is about; media paths are in dataset order. A tuple, because
    a million of them pass by."""

    prediction_id: int
    run_id: int
    dataset_id: int
    idx: int
    key: str
    kind: str
    prompt: str
    first_path: str
    second_path: str
    preference: str
    shown_order: str
    sample: int
    text: str
    answer: str
    decision: str
    ruling: str | None
    scores: dict[str, Any]


class Candidate(NamedTuple):
    """What a set would hold, without its texts: enough to say which rows it keeps, and to count."""

    prediction_id: int
    run_id: int
    pair_id: int
    key: str
    kind: str
    shown_order: str
    sample: int
    answer: str
    ruling: str | None


_CANDIDATE = (
    verdicts.c.prediction_id,
    verdicts.c.run_id,
    verdicts.c.pair_id,
    pairs.c.key,
    verdicts.c.kind,
    verdicts.c.shown_order,
    verdicts.c.sample,
    verdicts.c.answer,
    verdicts.c.ruling,
)

# In the order of the fields of ItemRow.
_ITEM = (
    predictions.c.id.label("prediction_id"),
    predictions.c.run_id,
    pairs.c.dataset_id,
    pairs.c.idx,
    pairs.c.key,
    pairs.c.kind,
    pairs.c.prompt,
    pairs.c.first_path,
    pairs.c.second_path,
    pairs.c.preference,
    predictions.c.shown_order,
    predictions.c.sample,
    predictions.c.text,
    verdicts.c.answer,
    verdicts.c.decision,
    verdicts.c.ruling,
    verdicts.c.scores,
)
_FROM = predictions.join(pairs, pairs.c.id == predictions.c.pair_id).join(
    verdicts, verdicts.c.prediction_id == predictions.c.id
)

_SHOWN = (
    set_items.c.position,
    predictions.c.id.label("prediction_id"),
    predictions.c.run_id,
    predictions.c.pair_id,
    pairs.c.kind,
    # Of a hostile caption of a megabyte, no more than a card can show.
    func.substr(pairs.c.prompt, 1, 400).label("prompt"),
    predictions.c.shown_order.label("order"),
    verdicts.c.preferred,
    set_items.c.answer,
    set_items.c.basis,
    verdicts.c.margin,
)


class Sets:
    """The curated sets of a workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(self) -> list[SetRow]:
        """Frozen sets, oldest first. One whose freezing was cut off is not among them."""
        query = select(curated_sets).where(curated_sets.c.status == "frozen")
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(curated_sets.c.id))
            return [_set(row) for row in rows]

    def named(self, name: str) -> SetRow:
        """The newest version of ``name``, or the one that ``name@version`` says.

        Raises:
            NotFound: There is no such set.
        """
        wanted, _, version = name.partition("@")
        rows = [row for row in self.list() if row.name == wanted and (not version or str(row.version) == version)]
        if not rows:
            raise NotFound(f"there is no set {name}", hint=Hint("{LIST_SETS} shows the sets"))
        return max(rows, key=lambda row: row.version)

    def accepted(self, connection: Connection, run_id: int) -> Iterator[ItemRow]:
        """Effectively accepted predictions of a run that name a side, in the order of its pairs."""
        rows = self._accepted(connection, run_id, select(*_ITEM, verdicts.c.pair_id).select_from(_FROM))
        return map(_item, rows)

    def candidates(self, connection: Connection, run_id: int) -> Iterator[Candidate]:
        """The same as :meth:`accepted`, without texts."""
        query = select(*_CANDIDATE).join(pairs, pairs.c.id == verdicts.c.pair_id)
        return map(Candidate._make, self._accepted(connection, run_id, query))

    def _accepted(self, connection: Connection, run_id: int, columns: Select[Any]) -> Iterator[Row[Any]]:
        last = (-1, "", -1)
        while True:
            order = (verdicts.c.pair_id, verdicts.c.shown_order, verdicts.c.sample)
            query = (
                columns.where(
                    verdicts.c.run_id == run_id,
                    verdicts.c.effective == "accepted",
                    verdicts.c.answer.in_(("first", "second")),
                    # Whole pairs a page: (pair, order, sample) as one row value is not indexed.
                    verdicts.c.pair_id >= last[0],
                )
                .order_by(*order)
                .limit(PAGE)
            )
            rows = connection.execute(query).all()
            fresh = [row for row in rows if (row.pair_id, row.shown_order, row.sample) > last]
            yield from fresh
            if len(rows) < PAGE or not fresh:
                return
            last = (fresh[-1].pair_id, fresh[-1].shown_order, fresh[-1].sample)

    def add(self, connection: Connection, name: str, lineage: dict[str, Any], freezing: dict[str, Any]) -> int:
        """A set that is being frozen, without a version yet; returns its id.

        Args:
            freezing: Who does it.
        """
        result = connection.execute(
            insert(curated_sets).values(
                name=name,
                version=-1 - secrets.randbelow(2**31 - 1),
                status="freezing",
                freezing=freezing,
                lineage=lineage,
                counts={},
                created_at=time.time(),
            )
        )
        key: tuple[Any, ...] = tuple(result.inserted_primary_key or ())
        return int(key[0])

    def beat(self, connection: Connection, set_id: int, freezing: dict[str, Any]) -> bool:
        """Write down that the freezing goes on; false when the set was cleared away."""
        result = connection.execute(
            update(curated_sets)
            .where(curated_sets.c.id == set_id, curated_sets.c.status == "freezing")
            .values(freezing=freezing)
        )
        return result.rowcount == 1

    def add_items(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Append items."""
        if rows:
            connection.execute(insert(set_items), list(rows))

    def lock_name(self, connection: Connection, name: str) -> None:
        """Until the end of the transaction nobody else gives a version of that name."""
        if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
            lock = func.pg_advisory_xact_lock(_NAME_LOCK, func.hashtext(name))
            connection.execute(select(lock))

    def finish(self, connection: Connection, set_id: int, content_hash: str, counts: dict[str, Any]) -> int | None:
        """Mark a set as frozen; its version, the next one of its name, or ``None`` when it was cleared
        away.

        The name has to be locked, see :meth:`lock_name`.
        """
        name = select(curated_sets.c.name).where(curated_sets.c.id == set_id).scalar_subquery()
        newest = connection.execute(
            select(func.max(curated_sets.c.version)).where(curated_sets.c.name == name)
        ).scalar()
        version = max(newest or 0, 0) + 1
        result = connection.execute(
            update(curated_sets)
            .where(curated_sets.c.id == set_id, curated_sets.c.status == "freezing")
            .values(status="frozen", version=version, freezing=None, content_hash=content_hash, counts=counts)
        )
        return version if result.rowcount == 1 else None

    def give_up(self, connection: Connection, set_id: int) -> bool:
        """Let nobody go on freezing a set; false when it is frozen, or gone."""
        result = connection.execute(
            update(curated_sets)
            .where(curated_sets.c.id == set_id, curated_sets.c.status != "frozen")
            .values(status="given up")
        )
        return result.rowcount == 1

    def unfinished(self) -> Sequence[Any]:
        """``(id, status, freezing, created_at)`` of the sets that are not frozen."""
        of = curated_sets.c
        columns = (of.id, of.status, of.freezing, of.created_at)
        with self._db.read() as connection:
            return connection.execute(select(*columns).where(of.status != "frozen")).all()

    def remove_items(self, connection: Connection, set_id: int, limit: int) -> int:
        """Take back up to ``limit`` items of a set; returns how many there were."""
        last = connection.execute(select(func.max(set_items.c.position)).where(set_items.c.set_id == set_id)).scalar()
        if last is None:
            return 0
        result = connection.execute(
            delete(set_items).where(set_items.c.set_id == set_id, set_items.c.position > last - limit)
        )
        return int(result.rowcount)

    def remove(self, connection: Connection, set_id: int) -> None:
        """Take back a set without items."""
        connection.execute(delete(curated_sets).where(curated_sets.c.id == set_id))

    def same(self, connection: Connection, name: str, content_hash: str) -> SetRow | None:
        """A frozen version of ``name`` with this content."""
        row = connection.execute(
            select(curated_sets).where(
                curated_sets.c.name == name,
                curated_sets.c.content_hash == content_hash,
                curated_sets.c.status == "frozen",
            )
        ).first()
        return _set(row) if row else None

    def lineage_of_run(self, connection: Connection, run_id: int) -> dict[str, Any]:
        """Where a run's predictions come from: dataset, spec, policy, and rulings in force."""
        row = connection.execute(
            select(
                runs.c.id,
                runs.c.model,
                runs.c.engine,
                runs.c.spec,
                runs.c.policy,
                datasets.c.name.label("dataset"),
                datasets.c.fingerprint.label("dataset_fingerprint"),
            )
            .join(datasets, datasets.c.id == runs.c.dataset_id)
            .where(runs.c.id == run_id)
        ).one()
        of_run = reviews.c.run_id == run_id
        newest = connection.execute(select(func.max(reviews.c.id)).where(of_run)).scalar()
        undone = select(reviews.c.undoes).where(of_run, reviews.c.undoes.is_not(None))
        rules = reviews.c.ruling.not_in(("undo", "note"))
        in_force = (of_run, rules, reviews.c.id.not_in(undone))
        count = connection.execute(select(func.count()).select_from(reviews).where(*in_force)).scalar_one()
        return {**row._mapping, "reviews": count, "newest_review": newest}

    def kinds_of_runs(self, set_id: int) -> dict[int, frozenset[str]]:
        """The media kinds of a set's items, by the run that judged them."""
        query = (
            select(verdicts.c.run_id, verdicts.c.kind)
            .join(set_items, set_items.c.prediction_id == verdicts.c.prediction_id)
            .where(set_items.c.set_id == set_id)
            .distinct()
        )
        found: dict[int, set[str]] = {}
        with self._db.read() as connection:
            for run_id, kind in connection.execute(query):
                found.setdefault(run_id, set()).add(kind)
        return {run_id: frozenset(kinds) for run_id, kinds in found.items()}

    def newest_deciding_review(self, connection: Connection, prediction_id: int) -> int | None:
        """The id of the newest accept or relabel that no undo took back."""
        undone = select(reviews.c.undoes).where(reviews.c.prediction_id == prediction_id, reviews.c.undoes.is_not(None))
        return connection.execute(
            select(func.max(reviews.c.id)).where(
                reviews.c.prediction_id == prediction_id,
                reviews.c.ruling.in_(("accept", "relabel")),
                reviews.c.id.not_in(undone),
            )
        ).scalar()

    def iter_items(self, set_id: int) -> Iterator[ItemRow]:
        """The items of a set in their frozen order, by keyset pages in short transactions."""
        last = -1
        while True:
            query = (
                select(*_ITEM, set_items.c.answer.label("frozen_answer"), set_items.c.position)
                .select_from(_FROM.join(set_items, set_items.c.prediction_id == predictions.c.id))
                .where(set_items.c.set_id == set_id, set_items.c.position > last)
                .order_by(set_items.c.position)
                .limit(PAGE)
            )
            with self._db.read() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            last = rows[-1].position
            for row in rows:
                yield _item(row, answer=row.frozen_answer)

    def shown(self, set_id: int, *, after: int = -1, limit: int = 48) -> Sequence[ShownItem]:
        """The items behind position ``after``, as a page of pictures shows them."""
        query = (
            select(*_SHOWN)
            .select_from(_FROM.join(set_items, set_items.c.prediction_id == predictions.c.id))
            .where(set_items.c.set_id == set_id, set_items.c.position > after)
            .order_by(set_items.c.position)
            .limit(limit)
        )
        with self._db.read() as connection:
            return [ShownItem(**row._mapping) for row in connection.execute(query)]

    def runs_of(self, set_row: SetRow) -> dict[int, tuple[dict[str, Any], MediaRoot]]:
        """Spec, and where the media lie, of every run in a set."""
        ids = [run["id"] for run in set_row.lineage["runs"]]
        query = (
            select(runs.c.id, runs.c.spec, runs.c.dataset_id, datasets.c.data_root)
            .join(datasets, datasets.c.id == runs.c.dataset_id)
            .where(runs.c.id.in_(ids))
        )
        with self._db.read() as connection:
            rows = connection.execute(query).all()
            links = links_of(connection, {row.dataset_id for row in rows})
        return {row.id: (row.spec, MediaRoot(row.data_root, links[row.dataset_id])) for row in rows}


_WIDTH = len(_ITEM)
_ANSWER = [column.key for column in _ITEM].index("answer")


def _item(row: Any, answer: str | None = None) -> ItemRow:
    # By position: a million rows by name would take half a minute longer.
    values = row[:_WIDTH]
    if answer is not None and answer != values[_ANSWER]:
        values = (*values[:_ANSWER], answer, *values[_ANSWER + 1 :])
    return ItemRow._make(values)


def _set(row: Row[Any]) -> SetRow:
    return SetRow(**{name: row._mapping[name] for name in SetRow.__dataclass_fields__})
