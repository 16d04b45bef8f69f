"""Pairs: their rows, and reading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, tuple_

from backend.domain.pairs import MediaKind, MediaRef, Pair, Preference
from backend.store.database import Database
from backend.store.schema import pairs

LOOKUP = 500  # bound values in one IN; far below every database's limit


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


_PAIR = (
    pairs.c.id,
    pairs.c.key,
    pairs.c.idx,
    pairs.c.kind,
    pairs.c.prompt,
    pairs.c.first_path,
    pairs.c.second_path,
    pairs.c.preference,
    pairs.c.media_ok,
)

_LAST_ID = 1 << 62


class PairReading:
    """Reading the pairs of a workspace's datasets."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def iter_stored(
        self,
        dataset_id: int,
        *,
        after_idx: int = -1,
        after_id: int = _LAST_ID,
        limit: int | None = None,
        chunk: int = 1000,
    ) -> Iterator[StoredPair]:
        """Pairs in file order, with their state; one short read transaction a chunk.

        Args:
            after_idx: Only pairs behind this row.
            after_id: Of the pairs of that very row, only those behind this id.
            limit: At most so many.
        """
        last, last_id, left = after_idx, after_id, limit
        while left is None or left > 0:
            size = chunk if left is None else min(chunk, left)
            query = (
                select(*_PAIR)
                .where(pairs.c.dataset_id == dataset_id, tuple_(pairs.c.idx, pairs.c.id) > tuple_(last, last_id))
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
        after_id: int = _LAST_ID,
        limit: int | None = None,
        chunk: int = 1000,
    ) -> Iterator[tuple[int, Pair]]:
        """``(row id, pair)`` in file order; see :meth:`iter_stored`."""
        stored = self.iter_stored(dataset_id, after_idx=after_idx, after_id=after_id, limit=limit, chunk=chunk)
        return ((row.id, row.pair) for row in stored)

    def find_pairs(
        self, dataset_id: int, *, indexes: Sequence[int] = (), keys: Sequence[str] = ()
    ) -> dict[int | str, tuple[int, Pair]]:
        """``(row id, pair)`` under each index and each key that is there."""
        found: dict[int | str, tuple[int, Pair]] = {}
        with self._db.read() as connection:
            for column, values in ((pairs.c.idx, list(indexes)), (pairs.c.key, list(keys))):
                for start in range(0, len(values), LOOKUP):
                    query = select(*_PAIR).where(
                        pairs.c.dataset_id == dataset_id, column.in_(values[start : start + LOOKUP])
                    )
                    for row in connection.execute(query):
                        stored = _stored(row)
                        name = stored.pair.index if column is pairs.c.idx else stored.pair.key
                        found[name] = (stored.id, stored.pair)
        return found


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
