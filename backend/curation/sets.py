"""Freezing what is accepted into a versioned, content-hashed set.

Everything is read from one snapshot of the database, and written in chunks, so that freezing a
million predictions keeps no reviewer waiting. Until the last chunk the set is ``freezing``, has no
version and nobody sees it. Who freezes is written down with it: what a killed process leaves is cleared
away by whoever looks next, and what goes on is left alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection

from backend.curation.balance import Balance, keeping
from backend.curation.preview import untrainable, untrainable_line
from backend.domain.pairs import Order
from backend.errors import ReviewError, StoreError
from backend.foreign_text import quoted
from backend.hints import Hint
from backend.jobs.processes import is_alive, pid_exists, this_process
from backend.store.database import Database
from backend.store.sets import ItemRow, SetRow, Sets
from backend.store.unfinished import refuse_unfinished

log = logging.getLogger(__name__)

CHUNK = 2_000
_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
_OLD_S = 24 * 3600
"""An older Winnow did not write down who freezes."""
_STALE_S = 600.0
"""Nothing for so long: a process that cannot be looked at, on another host, is taken for dead."""

_going: set[str] = set()
"""Tokens of what this process freezes; one that failed may have left its set behind."""


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
    clear_abandoned(database)
    with database.read() as snapshot:
        for run in runs:
            refuse_unfinished(snapshot, run)
        lineage: dict[str, Any] = {"runs": [sets.lineage_of_run(snapshot, run) for run in runs]}
        keeps = keeping(sets, snapshot, runs, balance)
        if balance is not None:
            lineage["balance"] = {"by": "position", "seed": balance.seed}
        with _freezing(database, sets, name, lineage) as unfinished:
            counts, content_hash = _fill(database, unfinished, snapshot, runs, keeps, progress)
            with database.write(durable=True) as connection:
                sets.lock_name(connection, name)
                known = sets.same(connection, name, content_hash)
                version = known.version if known else sets.finish(connection, unfinished.id, content_hash, counts)
            if version is None:
                raise _cleared()
            if known:
                _discard(database, sets, unfinished.id)
    return get_set(database, f"{name}@{version}")


class _Unfinished:
    """A set that this process is freezing.

    Args:
        owner: Who does it, as the set's row says it.
    """

    def __init__(self, sets: Sets, set_id: int, owner: dict[str, Any]) -> None:
        self.id, self._sets, self._owner = set_id, sets, owner

    def add(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Append items, and say that this goes on.

        Raises:
            ReviewError: The set was cleared away.
        """
        beat = {**self._owner, "beat_at": time.time()}
        if not self._sets.beat(connection, self.id, beat):
            raise _cleared()
        self._sets.add_items(connection, [{"set_id": self.id, **row} for row in rows])


@contextmanager
def _freezing(database: Database, sets: Sets, name: str, lineage: dict[str, Any]) -> Iterator[_Unfinished]:
    """A new set; what is not finished at the end of the block is taken back."""
    pid, started = this_process()
    token = secrets.token_hex(8)
    owner = {"host": socket.gethostname(), "pid": pid, "started": started, "token": token}
    _going.add(token)
    try:
        with database.write() as connection:
            set_id = sets.add(connection, name, lineage, {**owner, "beat_at": time.time()})
        try:
            yield _Unfinished(sets, set_id, owner)
        except BaseException:
            # Where the database is away too, whoever looks next does it.
            with suppress(StoreError):
                _discard(database, sets, set_id)
            raise
    finally:
        _going.discard(token)


def _cleared() -> ReviewError:
    return ReviewError("the set was taken for one whose freezing was cut off, and cleared away", hint="freeze it again")


def _fill(
    database: Database,
    unfinished: _Unfinished,
    snapshot: Connection,
    runs: list[int],
    keeps: Callable[[ItemRow], bool],
    progress: Callable[[int], None] | None,
) -> tuple[dict[str, int], str]:
    digest, sets = hashlib.sha256(), Sets(database)
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
                unfinished.add(connection, batch)
            batch = []
            if progress:
                progress(counts["items"])
    with database.write() as connection:
        unfinished.add(connection, batch)
    if not counts["items"]:
        nothing = untrainable_line(untrainable(database, runs)) or "nothing is accepted"
        raise ReviewError(
            f"{nothing} in these runs",
            hint=Hint("{SHOW_RUN} tells why; another policy, or rulings, may accept more", on=runs[0]),
        )
    if progress:
        progress(counts["items"])
    return dict(counts), digest.hexdigest()


def clear_abandoned(database: Database) -> int:
    """Take back sets whose freezing was cut off; returns how many there were."""
    sets = Sets(database)
    dead = [
        row.id for row in sets.unfinished() if row.status != "freezing" or not _goes_on(row.freezing, row.created_at)
    ]
    for set_id in dead:
        _discard(database, sets, set_id)
        log.info("cleared away set %d, whose freezing was cut off", set_id)
    return len(dead)


def _goes_on(owner: dict[str, Any] | None, created_at: float) -> bool:
    """Whether somebody still freezes a set."""
    if owner is None:
        return time.time() - created_at < _OLD_S
    beats = time.time() - float(owner["beat_at"]) < _STALE_S
    if owner["host"] != socket.gethostname():
        return beats
    if owner["pid"] == os.getpid() and is_alive(owner["pid"], owner["started"]):
        return owner["token"] in _going
    # Where only the start time is another one, the clock may have been set.
    return is_alive(owner["pid"], owner["started"]) or (beats and pid_exists(owner["pid"]))


def _discard(database: Database, sets: Sets, set_id: int) -> None:
    """Remove a set that is not frozen, in chunks; items first, so that it can be done again."""
    with database.write() as connection:
        # First: whoever was taken for dead and is not must not freeze what is half gone.
        if not sets.give_up(connection, set_id):
            return
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


__all__ = ["Balance", "SetRow", "check_name", "clear_abandoned", "freeze", "get_set", "list_sets"]
