"""Pages of a dataset's pairs and of what was found wrong in its files. Keyset pages, never OFFSET."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, false, literal_column, select

from backend.store.database import Database
from backend.store.schema import dataset_issues, pairs

FILTERS = ("all", "ties", "duplicates", "conflicts", "missing")


class GalleryPair(NamedTuple):
    """A pair as the gallery shows it, in dataset order."""

    pair_id: int
    idx: int
    kind: str
    prompt: str
    preference: str
    media_ok: bool


class Issue(NamedTuple):
    """Something wrong in a dataset's file; ``row`` is 0-based in that file."""

    issue_id: int
    code: str
    file: str
    row: int
    message: str


class Gallery:
    """Reads pages of one dataset."""

    def __init__(self, database: Database, dataset_id: int) -> None:
        self._db = database
        self._dataset_id = dataset_id

    def pairs(self, chosen: str, *, after: int = -1, limit: int = 24) -> list[GalleryPair]:
        """Pairs behind row ``after``, in file order.

        Args:
            chosen: ``all``, ``ties`` or ``missing`` of :data:`FILTERS`.
        """
        query = (
            select(pairs.c.id, pairs.c.idx, pairs.c.kind, pairs.c.prompt, pairs.c.preference, pairs.c.media_ok)
            .where(pairs.c.dataset_id == self._dataset_id, pairs.c.idx > after, _matches(chosen))
            .order_by(pairs.c.idx)
            .limit(limit)
        )
        with self._db.read() as connection:
            return [GalleryPair(*row) for row in connection.execute(query)]

    def by_index(self, indexes: list[int]) -> list[GalleryPair]:
        """The pairs of some rows, in file order."""
        query = (
            select(pairs.c.id, pairs.c.idx, pairs.c.kind, pairs.c.prompt, pairs.c.preference, pairs.c.media_ok)
            .where(pairs.c.dataset_id == self._dataset_id, pairs.c.idx.in_(indexes))
            .order_by(pairs.c.idx)
        )
        with self._db.read() as connection:
            return [GalleryPair(*row) for row in connection.execute(query)]

    def issues(self, code: str | None, *, after: int = 0, limit: int = 50) -> list[Issue]:
        """What was found wrong, in the order found, behind issue ``after``."""
        c = dataset_issues.c
        query = (
            select(c.id, c.code, c.file, c.row, c.message)
            .where(c.dataset_id == self._dataset_id, c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
        if code is not None:
            query = query.where(c.code == code)
        with self._db.read() as connection:
            return [Issue(*row) for row in connection.execute(query)]


def _matches(chosen: str) -> ColumnElement[bool]:
    # Written out, not bound: only then does SQLite see that a partial index answers.
    if chosen == "ties":
        return pairs.c.preference == literal_column("'tie'")
    if chosen == "missing":
        return pairs.c.media_ok == false()
    return and_(True)


__all__ = ["FILTERS", "Gallery", "GalleryPair", "Issue"]
