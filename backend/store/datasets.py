"""Datasets, their pairs, and what was found wrong in their files: all SQL for the three."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, Table, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.domain.pairs import MediaKind, MediaRef, Pair, Preference
from backend.errors import NotFound
from backend.store.database import Database
from backend.store.schema import dataset_issues, datasets, pairs

_LOOKUP = 500  # bound values in one IN; far below every database's limit


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A dataset as stored. ``counts`` is its integrity report; see ``ingest.importer``."""

    id: int
    name: str
    source: str
    spec: str
    data_root: str
    status: str
    fingerprint: str | None
    created_at: float
    counts: dict[str, int]


class NewPair(NamedTuple):
    """A pair to be stored; sides and preference are in dataset order."""

    idx: int
    key: str
    kind: MediaKind
    prompt: str
    first: str
    second: str
    preference: Preference
    media_ok: bool
    extra: str  # JSON


class HeldPair(NamedTuple):
    """What the store holds under a key."""

    idx: int
    first: str
    second: str
    preference: str
    media_ok: bool


class StoredPair(NamedTuple):
    """A pair with its row id, and whether both its files were there at import."""

    id: int
    pair: Pair
    media_ok: bool


class NewIssue(NamedTuple):
    """Something wrong in a dataset's file; ``row`` is 0-based in that file."""

    code: str
    file: str
    row: int
    message: str


_PAIR = (
    pairs.c.id, pairs.c.key, pairs.c.idx, pairs.c.kind, pairs.c.prompt,
    pairs.c.first_path, pairs.c.second_path, pairs.c.preference, pairs.c.media_ok,
)  # fmt: skip

_INSERTED = (
    "dataset_id", "idx", "key", "kind", "prompt",
    "first_path", "second_path", "preference", "media_ok", "extra",
)  # fmt: skip
_SQLITE_INSERT = (
    f"INSERT INTO pairs ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))})"  # noqa: S608
    " ON CONFLICT (dataset_id, key) DO NOTHING"
)


class Datasets:
    """The repository of datasets."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, *, name: str, source: str, spec: str, data_root: str) -> int:
        """Add a dataset with status ``importing``, unless it is there; returns its id."""
        statement = _insert_new(self._db, datasets, ["name"])
        row = {
            "name": name, "source": source, "spec": spec, "data_root": data_root,
            "status": "importing", "created_at": time.time(), "counts": {},
        }  # fmt: skip
        with self._db.write() as connection:
            connection.execute(statement, row)
            query = select(datasets.c.id).where(datasets.c.name == name)
            return int(connection.execute(query).scalar_one())

    def find(self, name: str) -> DatasetRow | None:
        """The dataset of that name, if there is one."""
        with self._db.read() as connection:
            row = connection.execute(select(datasets).where(datasets.c.name == name)).one_or_none()
        return None if row is None else _dataset(row)

    def get(self, name: str) -> DatasetRow:
        """The dataset of that name.

        Raises:
            NotFound: There is none; the hint lists those there are.
        """
        found = self.find(name)
        if found is None:
            names = ", ".join(row.name for row in self.list()[:20])
            raise NotFound(
                f"there is no dataset {name!r}",
                hint=f"datasets: {names}" if names else "add one with `winnow dataset add`",
            )
        return found

    def by_id(self, dataset_id: int) -> DatasetRow:
        """The dataset of that id.

        Raises:
            NotFound: There is none.
        """
        with self._db.read() as connection:
            query = select(datasets).where(datasets.c.id == dataset_id)
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"there is no dataset {dataset_id}")
        return _dataset(row)

    def list(self) -> list[DatasetRow]:
        """All datasets, oldest first."""
        with self._db.read() as connection:
            rows = connection.execute(select(datasets).order_by(datasets.c.id)).all()
        return [_dataset(row) for row in rows]

    def set_status(self, dataset_id: int, status: str) -> None:
        """Record that an import failed, or goes on."""
        with self._db.write() as connection:
            connection.execute(
                update(datasets).where(datasets.c.id == dataset_id).values(status=status)
            )

    def finish(
        self, dataset_id: int, *, fingerprint: str, counts: Mapping[str, int], issues_after: int
    ) -> None:
        """Mark a dataset ready, and drop the issues of earlier imports.

        Args:
            issues_after: What :meth:`last_issue` gave before this import; later ones are kept.
        """
        with self._db.write(durable=True) as connection:
            connection.execute(
                update(datasets)
                .where(datasets.c.id == dataset_id)
                .values(status="ready", fingerprint=fingerprint, counts=dict(counts))
            )
            old = (dataset_issues.c.dataset_id == dataset_id) & (
                dataset_issues.c.id <= issues_after
            )
            connection.execute(delete(dataset_issues).where(old))

    def discard(self, dataset_id: int) -> None:
        """Remove a dataset whose import failed, with everything that was read of it."""
        with self._db.write() as connection:
            for table in (dataset_issues, pairs):
                connection.execute(delete(table).where(table.c.dataset_id == dataset_id))
            connection.execute(delete(datasets).where(datasets.c.id == dataset_id))

    # -- pairs ---------------------------------------------------------------------------------

    def add_pairs(self, dataset_id: int, rows: Sequence[NewPair]) -> dict[str, HeldPair]:
        """Store pairs; one whose key is there already is left as it is.

        Returns:
            Empty when every pair was new. Otherwise what is now stored under each key of ``rows``.
        """
        if not rows:
            return {}
        values = [
            (dataset_id, idx, key, kind.value, prompt, first, second, preference.value, ok, extra)
            for idx, key, kind, prompt, first, second, preference, ok, extra in rows
        ]
        with self._db.write() as connection:
            if self._db.is_sqlite:
                # Straight to the driver: SQLAlchemy's parameter handling would double the time.
                added = connection.exec_driver_sql(_SQLITE_INSERT, values).rowcount
            else:
                statement = _insert_new(self._db, pairs, ["dataset_id", "key"])
                named = [
                    dict(zip(_INSERTED, (*row[:-1], json.loads(row[-1])), strict=True))
                    for row in values
                ]
                added = connection.execute(statement, named).rowcount
        if added == len(rows):
            return {}
        return self.held(dataset_id, [row.key for row in rows])

    def held(self, dataset_id: int, keys: Sequence[str]) -> dict[str, HeldPair]:
        """What is stored under each of ``keys``; keys that are not there are left out."""
        c = pairs.c
        query = select(c.key, c.idx, c.first_path, c.second_path, c.preference, c.media_ok).where(
            c.dataset_id == dataset_id, c.key.in_(bindparam("keys", expanding=True))
        )
        found: dict[str, HeldPair] = {}
        with self._db.read() as connection:
            for start in range(0, len(keys), _LOOKUP):
                part = {"keys": list(keys[start : start + _LOOKUP])}
                for row in connection.execute(query, part):
                    found[row[0]] = HeldPair(*row[1:])
        return found

    def set_media_ok(self, dataset_id: int, states: Mapping[str, bool]) -> None:
        """Record, by key, whether the files of pairs are there now."""
        if not states:
            return
        statement = (
            update(pairs)
            .where(pairs.c.dataset_id == dataset_id, pairs.c.key == bindparam("k"))
            .values(media_ok=bindparam("ok"))
        )
        with self._db.write() as connection:
            connection.execute(statement, [{"k": k, "ok": ok} for k, ok in states.items()])

    def count(self, dataset_id: int) -> int:
        """Number of pairs stored."""
        query = select(func.count()).select_from(pairs).where(pairs.c.dataset_id == dataset_id)
        with self._db.read() as connection:
            return int(connection.execute(query).scalar_one())

    def iter_stored(
        self,
        dataset_id: int,
        *,
        after_idx: int = -1,
        limit: int | None = None,
        chunk: int = 1000,
    ) -> Iterator[StoredPair]:
        """Pairs in file order, with their state; one short read transaction a chunk.

        Args:
            after_idx: Only pairs behind this row.
            limit: At most so many.
        """
        last, last_id, left = after_idx, 1 << 62, limit
        while left is None or left > 0:
            size = chunk if left is None else min(chunk, left)
            query = (
                select(*_PAIR)
                .where(
                    pairs.c.dataset_id == dataset_id,
                    tuple_(pairs.c.idx, pairs.c.id) > tuple_(last, last_id),
                )
                .order_by(pairs.c.idx, pairs.c.id)
                .limit(size)
            )
            with self._db.read() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield _stored(row)
            if len(rows) < size:
                return
            last, last_id = rows[-1].idx, rows[-1].id
            left = None if left is None else left - len(rows)

    def iter_pairs(
        self,
        dataset_id: int,
        *,
        after_idx: int = -1,
        limit: int | None = None,
        chunk: int = 1000,
    ) -> Iterator[tuple[int, Pair]]:
        """``(row id, pair)`` in file order; see :meth:`iter_stored`."""
        stored = self.iter_stored(dataset_id, after_idx=after_idx, limit=limit, chunk=chunk)
        return ((row.id, row.pair) for row in stored)

    def find_pairs(
        self, dataset_id: int, *, indexes: Sequence[int] = (), keys: Sequence[str] = ()
    ) -> dict[int | str, tuple[int, Pair]]:
        """``(row id, pair)`` under each index and each key that is there."""
        found: dict[int | str, tuple[int, Pair]] = {}
        with self._db.read() as connection:
            for column, values in ((pairs.c.idx, list(indexes)), (pairs.c.key, list(keys))):
                for start in range(0, len(values), _LOOKUP):
                    query = select(*_PAIR).where(
                        pairs.c.dataset_id == dataset_id,
                        column.in_(values[start : start + _LOOKUP]),
                    )
                    for row in connection.execute(query):
                        stored = _stored(row)
                        name = stored.pair.index if column is pairs.c.idx else stored.pair.key
                        found[name] = (stored.id, stored.pair)
        return found

    def pair_by_key(self, dataset_id: int, key: str) -> StoredPair:
        """The pair under a key.

        Raises:
            NotFound: There is none.
        """
        return self._one_pair(dataset_id, pairs.c.key == key, f"key {key}")

    def pair_by_index(self, dataset_id: int, index: int) -> StoredPair:
        """The pair of a row in file order.

        Raises:
            NotFound: There is none: the row is broken, a duplicate, or behind the end.
        """
        return self._one_pair(dataset_id, pairs.c.idx == index, f"index {index}")

    # -- issues --------------------------------------------------------------------------------

    def last_issue(self) -> int:
        """The newest issue's id, of any dataset; 0 when there is none."""
        with self._db.read() as connection:
            newest = connection.execute(select(func.max(dataset_issues.c.id))).scalar_one()
        return int(newest or 0)

    def add_issues(self, dataset_id: int, issues: Sequence[NewIssue]) -> None:
        """Store issues in the order given."""
        if not issues:
            return
        rows = [{"dataset_id": dataset_id, **issue._asdict()} for issue in issues]
        with self._db.write() as connection:
            connection.execute(insert(dataset_issues), rows)

    def drop_issues(self, dataset_id: int, *, after: int) -> None:
        """Take back the issues of an import that failed: those behind id ``after``."""
        with self._db.write() as connection:
            connection.execute(
                delete(dataset_issues).where(
                    dataset_issues.c.dataset_id == dataset_id, dataset_issues.c.id > after
                )
            )

    def issues(
        self, dataset_id: int, code: str | None = None, *, chunk: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Issues with ``code, file, row, message``, in the order found; one read a chunk."""
        c = dataset_issues.c
        last = 0
        while True:
            query = (
                select(c.id, c.code, c.file, c.row, c.message)
                .where(c.dataset_id == dataset_id, c.id > last)
                .order_by(c.id)
                .limit(chunk)
            )
            if code is not None:
                query = query.where(c.code == code)
            with self._db.read() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield dict(zip(("code", "file", "row", "message"), row[1:], strict=True))
            if len(rows) < chunk:
                return
            last = rows[-1].id

    def _one_pair(self, dataset_id: int, condition: Any, name: str) -> StoredPair:
        query = select(*_PAIR).where(pairs.c.dataset_id == dataset_id, condition)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"dataset {dataset_id} has no pair with {name}")
        return _stored(row)


def _insert_new(database: Database, table: Table, unique: Sequence[str]) -> Any:
    # The two dialects spell ON CONFLICT alike, but each has its own class for it.
    dialect: Any = sqlite if database.is_sqlite else postgresql
    return dialect.insert(table).on_conflict_do_nothing(index_elements=unique)


def _dataset(row: Row[Any]) -> DatasetRow:
    return DatasetRow(**row._mapping)


def _stored(row: Any) -> StoredPair:
    pair_id, key, index, kind, prompt, first, second, preference, media_ok = row
    pair = Pair(
        key=key,
        index=index,
        kind=MediaKind(kind),
        prompt=prompt,
        first=MediaRef(path=first),
        second=MediaRef(path=second),
        preference=Preference(preference),
    )
    return StoredPair(pair_id, pair, media_ok)
