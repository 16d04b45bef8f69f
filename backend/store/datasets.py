"""Datasets and what is written into them: their pairs, and how an import ends."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, false, func, select, true, update

from backend.errors import NotFound
from backend.foreign_text import quoted
from backend.hints import Hint
from backend.media.paths import MediaRoot
from backend.store.database import Database, insert_into
from backend.store.dataset_links import links_of, replace_links
from backend.store.issues import DatasetIssues, NewIssue
from backend.store.pairs import LOOKUP, HeldPair, NewPair, PairReading, StoredPair
from backend.store.schema import dataset_issues, dataset_links, datasets, pairs

__all__ = ["DatasetRow", "Datasets", "HeldPair", "NewIssue", "NewPair", "StoredPair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A dataset as stored.

    Attributes:
        counts: Its integrity report; see ``ingest.report``.
        unusable: Pairs whose media were missing or unreadable when they were looked at last.
        links_to: Folders outside of the data root that symbolic links may lead to.
    """

    id: int
    name: str
    source: str
    spec: str
    data_root: str
    status: str
    fingerprint: str | None
    created_at: float
    counts: dict[str, int]
    unusable: int
    links_to: tuple[str, ...]

    @property
    def judgeable(self) -> int:
        """Pairs that can be judged."""
        return self.counts.get("pairs", 0) - self.unusable

    @property
    def media(self) -> MediaRoot:
        """Where its media may lie."""
        return MediaRoot(self.data_root, self.links_to)


_UNUSABLE = (
    select(func.count())
    .select_from(pairs)
    .where(pairs.c.dataset_id == datasets.c.id, pairs.c.media_ok == false())
    .scalar_subquery()
    .label("unusable")
)
_INSERTED = (
    "dataset_id",
    "idx",
    "key",
    "kind",
    "prompt",
    "first_path",
    "second_path",
    "preference",
    "media_ok",
    "extra",
)
_SQLITE_INSERT = (
    f"INSERT INTO pairs ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))})"  # noqa: S608
    " ON CONFLICT (dataset_id, key) DO NOTHING"
)


class Datasets(PairReading, DatasetIssues):
    """The repository of datasets, with their pairs and issues."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, *, name: str, source: str, spec: str, data_root: str) -> int:
        """Add a dataset with status ``importing``, unless it is there; returns its id."""
        row = {
            "name": name,
            "source": source,
            "spec": spec,
            "data_root": data_root,
            "status": "importing",
            "created_at": time.time(),
            "counts": {},
        }
        with self._db.write() as connection:
            statement = insert_into(connection, datasets)
            connection.execute(statement.on_conflict_do_nothing(index_elements=["name"]), row)
            query = select(datasets.c.id).where(datasets.c.name == name)
            return int(connection.execute(query).scalar_one())

    def find(self, name: str) -> DatasetRow | None:
        """The dataset of that name, if there is one."""
        found = self._read(datasets.c.name == name)
        return found[0] if found else None

    def get(self, name: str) -> DatasetRow:
        """The dataset of that name.

        Raises:
            NotFound: There is none; the hint lists those there are.
        """
        found = self.find(name)
        if found is None:
            names = ", ".join(row.name for row in self.list()[:20])
            raise NotFound(
                f"there is no dataset {quoted(name)}",
                hint=f"datasets: {names}" if names else Hint("add one with {ADD_DATASET}"),
            )
        return found

    def by_id(self, dataset_id: int) -> DatasetRow:
        """The dataset of that id.

        Raises:
            NotFound: There is none.
        """
        found = self._read(datasets.c.id == dataset_id)
        if not found:
            raise NotFound(f"there is no dataset {dataset_id}")
        return found[0]

    def list(self) -> list[DatasetRow]:
        """All datasets, oldest first."""
        return [*self._read(true())]

    def _read(self, which: ColumnElement[bool]) -> Sequence[DatasetRow]:
        query = select(datasets, _UNUSABLE).where(which).order_by(datasets.c.id)
        with self._db.read() as connection:
            rows = connection.execute(query).all()
            links = links_of(connection, [row.id for row in rows])
        return [DatasetRow(**row._mapping, links_to=links[row.id]) for row in rows]

    def allow_links(self, dataset_id: int, folders: Sequence[str]) -> None:
        """Let a dataset's symbolic links lead into these folders, and into no others."""
        with self._db.write() as connection:
            replace_links(connection, dataset_id, folders)

    def set_status(self, dataset_id: int, status: str) -> None:
        """Record that an import failed, or goes on."""
        with self._db.write() as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(status=status))

    def finish(self, dataset_id: int, *, fingerprint: str, counts: Mapping[str, int], issues_after: int) -> None:
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
            old = (dataset_issues.c.dataset_id == dataset_id) & (dataset_issues.c.id <= issues_after)
            connection.execute(delete(dataset_issues).where(old))

    def discard(self, dataset_id: int) -> None:
        """Remove a dataset whose import failed, with everything that was read of it."""
        with self._db.write() as connection:
            for table in (dataset_issues, dataset_links, pairs):
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
                statement = insert_into(connection, pairs).on_conflict_do_nothing(index_elements=["dataset_id", "key"])
                named = [dict(zip(_INSERTED, (*row[:-1], json.loads(row[-1])), strict=True)) for row in values]
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
            for start in range(0, len(keys), LOOKUP):
                part = {"keys": list(keys[start : start + LOOKUP])}
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
