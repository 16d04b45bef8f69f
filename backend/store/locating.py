"""From a pair to its files."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from backend.domain.pairs import MediaKind
from backend.errors import NotFound
from backend.media.paths import MediaRoot
from backend.store.database import Database
from backend.store.dataset_links import links_of
from backend.store.schema import datasets, pairs


@dataclass(frozen=True, slots=True)
class Located:
    """Where a pair's media lie, as its dataset names them; nothing is resolved yet."""

    kind: MediaKind
    root: MediaRoot
    first: str
    second: str


def locate(database: Database, pair_id: int) -> Located:
    """The paths of a pair, in dataset order.

    Raises:
        NotFound: There is no such pair.
    """
    query = (
        select(pairs.c.kind, pairs.c.first_path, pairs.c.second_path, datasets.c.id, datasets.c.data_root)
        .join(datasets, datasets.c.id == pairs.c.dataset_id)
        .where(pairs.c.id == pair_id)
    )
    with database.read() as connection:
        row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"there is no pair {pair_id}")
        root = MediaRoot(row.data_root, links_of(connection, [row.id])[row.id])
    return Located(MediaKind(row.kind), root, row.first_path, row.second_path)
