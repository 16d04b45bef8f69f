"""The folders outside of data roots that datasets' symbolic links may lead to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, insert, select

from backend.store.schema import dataset_links


def links_of(connection: Connection, dataset_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The folders of each dataset, sorted; empty where none were allowed."""
    query = select(dataset_links).where(dataset_links.c.dataset_id.in_(dataset_ids)).order_by(dataset_links.c.folder)
    found: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    for dataset_id, folder in connection.execute(query):
        found[dataset_id] += (folder,)
    return found


def replace_links(connection: Connection, dataset_id: int, folders: Sequence[str]) -> None:
    """Allow these folders and no others."""
    connection.execute(delete(dataset_links).where(dataset_links.c.dataset_id == dataset_id))
    rows = [{"dataset_id": dataset_id, "folder": folder} for folder in dict.fromkeys(folders)]
    if rows:
        connection.execute(insert(dataset_links), rows)
