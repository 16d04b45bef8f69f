"""Freezing what is accepted into a versioned, content-hashed set."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from backend.errors import NotFound, ReviewError
from backend.store.database import Database
from backend.store.sets import ItemRow, SetRow, Sets

CHUNK = 5_000


def freeze(
    database: Database,
    name: str,
    run_ids: Sequence[int],
    *,
    progress: Callable[[int], None] | None = None,
) -> SetRow:
    """Freeze everything effectively accepted in the runs as the next version of ``name``.

    One transaction: a set is there whole or not at all. When the content is that of a version which
    exists, that version is returned and nothing is added.

    Raises:
        ReviewError: Nothing is accepted, or the name cannot be used.
    """
    if not name.strip() or "@" in name:
        raise ReviewError(f"a set cannot be called {name!r}", hint="a name without @")
    sets = Sets(database)
    digest = hashlib.sha256()
    counts: Counter[str] = Counter()
    with database.write(durable=True) as connection:
        lineage = {
            "runs": [sets.lineage_of_run(connection, run_id) for run_id in dict.fromkeys(run_ids)]
        }
        set_id, _ = sets.add(connection, name, lineage)
        batch: list[dict[str, Any]] = []
        for run_id in dict.fromkeys(run_ids):
            for item in sets.accepted(connection, run_id):
                basis, review_id = "filter", None
                if item.ruling in ("accept", "relabel"):
                    basis = item.ruling
                    review_id = sets.newest_deciding_review(connection, item.prediction_id)
                batch.append(
                    {
                        "set_id": set_id,
                        "position": counts["items"],
                        "prediction_id": item.prediction_id,
                        "answer": item.answer,
                        "basis": basis,
                        "review_id": review_id,
                    }
                )
                digest.update(_content(item))
                counts.update(("items", item.kind, item.answer, f"by_{basis}"))
                if len(batch) == CHUNK:
                    sets.add_items(connection, batch)
                    batch = []
                    if progress:
                        progress(counts["items"])
        sets.add_items(connection, batch)
        if not counts["items"]:
            raise ReviewError(
                "nothing is accepted in these runs",
                hint="`winnow run show` tells why; another policy, or rulings, may accept more",
            )
        content_hash = digest.hexdigest()
        if known := sets.same(connection, name, content_hash):
            sets.remove(connection, set_id)
            return known
        sets.finish(connection, set_id, content_hash, dict(counts))
    return get_set(database, name)


def list_sets(database: Database) -> list[SetRow]:
    """All frozen sets, oldest first."""
    return Sets(database).list()


def get_set(database: Database, name: str) -> SetRow:
    """The newest version of ``name``, or the one that ``name@version`` says.

    Raises:
        NotFound: There is no such set.
    """
    wanted, _, version = name.partition("@")
    rows = [row for row in list_sets(database) if row.name == wanted]
    if version:
        rows = [row for row in rows if str(row.version) == version]
    if not rows:
        raise NotFound(f"there is no set {name}", hint="`winnow set list` shows the sets")
    return max(rows, key=lambda row: row.version)


def _content(item: ItemRow) -> bytes:
    """Everything about an item that reaches an exported row."""
    swapped = item.shown_order == "swapped"
    shown = (item.second_path, item.first_path) if swapped else (item.first_path, item.second_path)
    fields = [item.kind, item.prompt, *shown, item.answer, item.text]
    return json.dumps(fields, ensure_ascii=True).encode() + b"\n"


__all__ = ["SetRow", "freeze", "get_set", "list_sets"]
