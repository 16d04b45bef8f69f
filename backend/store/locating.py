"""From a pair to its files."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from backend.domain.pairs import MediaKind
from backend.errors import NotFound
from backend.store.database import Database
from backend.store.schema import datasets, pairs


@dataclass(frozen=True, slots=True)
class Located:
    """Where a pair's media lie, as its dataset names them; nothing is resolved yet."""

    kind: MediaKind
    data_root: str
    first: str
    second: str


def locate(database: Database, pair_id: int) -> Located:
    """The paths of a pair, in dataset order.

    Raises:
        NotFound: There is no such pair.
    """
    query = (
        select(pairs.c.kind, datasets.c.data_root, pairs.c.first_path, pairs.c.second_path)
        .join(datasets, datasets.c.id == pairs.c.dataset_id)
        .where(pairs.c.id == pair_id)
    )
    with database.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"there is no pair {pair_id}")
    return Located(MediaKind(row.kind), row.data_root, row.first_path, row.second_path)
