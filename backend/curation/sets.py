"""Freezing what is accepted into a versioned, content-hashed set.

Everything is read from one snapshot of the database, and written in chunks, so that freezing a
million predictions keeps no reviewer waiting. Until the last chunk the set is ``freezing`` and
nobody sees it; what a crash leaves of one is cleared away by the next freeze.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from backend.curation.balance import Balance, keeping
from backend.curation.preview import untrainable, untrainable_line
from backend.domain.pairs import Order
from backend.errors import ReviewError
from backend.foreign_text import quoted
from backend.store.database import Database
from backend.store.sets import ItemRow, SetRow, Sets
from backend.store.unfinished import refuse_unfinished

CHUNK = 2_000
_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
_ABANDONED_S = 24 * 3600


def check_name(name: str) -> None:
    """Refuse what would not do as a file's name, in a command, or before ``@`` and a version.

    Raises:
        ReviewError: It says what is allowed.
    """
    if not _NAME.fullmatch(name):
        raise ReviewError(
            f"a set cannot be called {quoted(name)}",
            hint="letters, digits and . _ - only, beginning with a letter or a digit: grm-t2i",
        )


def freeze(
    database: Database,
    name: str,
    run_ids: Sequence[int],
    *,
    balance: Balance | None = None,
    progress: Callable[[int], None] | None = None,
) -> SetRow:
    """Freeze everything effectively accepted in the runs as the next version of ``name``.

    A set is there whole or not at all, and is what was accepted at the moment this was called. When
    the content is that of a version which exists, that version is returned and nothing is added.

    Raises:
        ReviewError: Nothing is accepted, or the name cannot be used.
        RunError: A run is being imported or decided anew.
    """
    check_name(name)
    sets, runs = Sets(database), list(dict.fromkeys(run_ids))
    _clear_abandoned(database, sets)
    with database.read() as snapshot:
        for run in runs:
            refuse_unfinished(snapshot, run)
        lineage: dict[str, Any] = {"runs": [sets.lineage_of_run(snapshot, run) for run in runs]}
        keeps = keeping(sets, snapshot, runs, balance)
        if balance is not None:
            lineage["balance"] = {"by": "position", "seed": balance.seed}
        with database.write() as connection:
            set_id, _ = sets.add(connection, name, lineage)
        try:
            frozen = _fill(database, sets, snapshot, set_id, runs, keeps, progress)
        except BaseException:
            _discard(database, sets, set_id)
            raise
    counts, content_hash = frozen
    with database.write(durable=True) as connection:
        known = sets.same(connection, name, content_hash)
        if not known:
            sets.finish(connection, set_id, content_hash, counts)
    if known:
        _discard(database, sets, set_id)
        return known
    return get_set(database, name)


def _fill(
    database: Database,
    sets: Sets,
    snapshot: Connection,
    set_id: int,
    runs: list[int],
    keeps: Callable[[ItemRow], bool],
    progress: Callable[[int], None] | None,
) -> tuple[dict[str, int], str]:
    digest = hashlib.sha256()
    counts: Counter[str] = Counter()
    batch: list[dict[str, Any]] = []
    for item in (item for run in runs for item in sets.accepted(snapshot, run)):
        if not keeps(item):
            counts["left_out"] += 1
            continue
        basis, review_id = "filter", None
        if item.ruling in ("accept", "relabel"):
            basis = item.ruling
            review_id = sets.newest_deciding_review(snapshot, item.prediction_id)
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
            with database.write() as connection:
                sets.add_items(connection, batch)
            batch = []
            if progress:
                progress(counts["items"])
    with database.write() as connection:
        sets.add_items(connection, batch)
    if not counts["items"]:
        nothing = untrainable_line(untrainable(database, runs)) or "nothing is accepted"
        raise ReviewError(
            f"{nothing} in these runs",
            hint="`winnow run show` tells why; another policy, or rulings, may accept more",
        )
    if progress:
        progress(counts["items"])
    return dict(counts), digest.hexdigest()


def _clear_abandoned(database: Database, sets: Sets) -> None:
    for set_id in sets.abandoned(before=time.time() - _ABANDONED_S):
        _discard(database, sets, set_id)


def _discard(database: Database, sets: Sets, set_id: int) -> None:
    """Remove a set that was not finished, in chunks; items first, so that it can be done again."""
    while True:
        with database.write() as connection:
            if not sets.remove_items(connection, set_id, CHUNK):
                sets.remove(connection, set_id)
                return


def list_sets(database: Database) -> list[SetRow]:
    """All frozen sets, oldest first."""
    return Sets(database).list()


def get_set(database: Database, name: str) -> SetRow:
    """See :meth:`backend.store.sets.Sets.named`."""
    return Sets(database).named(name)


def _content(item: ItemRow) -> bytes:
    """Everything about an item that reaches an exported row."""
    shown = Order(item.shown_order).arrange(item.first_path, item.second_path)
    fields = [item.kind, item.prompt, *shown, item.answer, item.text]
    return json.dumps(fields, ensure_ascii=True).encode() + b"\n"


__all__ = ["Balance", "SetRow", "check_name", "freeze", "get_set", "list_sets"]
