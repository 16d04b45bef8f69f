"""Work on a run that takes several transactions, marked in the run's row until its last one.

A run that is being imported, parsed again or re-decided is not yet what it is going to be: it must not be frozen,
and what a crash leaves half done is finished later. The mark stands in ``runs.progress`` and is set
before the first change and taken away after the last one, each in the transaction of that change, so
that every snapshot of the database shows both or neither.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select, update

from backend.errors import RunError
from backend.hints import Hint
from backend.store.database import Database
from backend.store.schema import runs

What = Literal["deciding", "importing", "reparsing"]
_MARK = "unfinished"
_WORDS: Mapping[What, tuple[str, Hint]] = {
    "deciding": ("decided anew", Hint("{FILTER_RUN} does it again")),
    "importing": ("imported", Hint("import the same file again: it goes on where it was cut off")),
    "reparsing": ("parsed again", Hint("{REPARSE_RUN} does it again")),
}
ABANDONED_S = 30.0
"""Age of a mark from which its process counts as gone; a living one renews it with every chunk."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A mark: what is being done, which attempt at it, and when it was last heard of.

    Attributes:
        line: How far an import is in its file.
    """

    what: What
    attempt: str
    at: float
    line: int

    @property
    def abandoned(self) -> bool:
        return time.time() - self.at > ABANDONED_S


def read_mark(progress: Mapping[str, Any]) -> Unfinished | None:
    """The mark in a run's ``progress``, if there is one."""
    mark = progress.get(_MARK)
    return Unfinished(**mark) if mark else None


def set_mark(connection: Connection, run_id: int, what: What, attempt: str, *, line: int = 0) -> None:
    """Set or renew the mark."""
    mark = {"what": what, "attempt": attempt, "at": time.time(), "line": line}
    _write(connection, run_id, {**_progress(connection, run_id), _MARK: mark})


def clear_mark(connection: Connection, run_id: int, **kept: Any) -> None:
    """Take the mark away, and keep something in its place."""
    progress = _progress(connection, run_id)
    progress.pop(_MARK, None)
    _write(connection, run_id, {**progress, **kept})


def check_mark(connection: Connection, run_id: int, attempt: str) -> None:
    """Go on only while the mark is this attempt's.

    Raises:
        RunError: Somebody else has begun since; theirs covers everything that ours would have done.
    """
    mark = read_mark(_progress(connection, run_id))
    if mark is None or mark.attempt != attempt:
        raise RunError(
            f"run {run_id} is being changed by somebody else, whose change stands",
            hint=Hint("{SHOW_RUN} tells the policy in force", on=run_id),
        )


def marked_runs(database: Database) -> dict[int, Unfinished]:
    """Every run that has a mark."""
    with database.read() as connection:
        rows = connection.execute(select(runs.c.id, runs.c.progress)).all()
    return {row.id: mark for row in rows if (mark := read_mark(row.progress))}


def refuse_while(connection: Connection, run_id: int, *whats: What) -> None:
    """Raise while one of these is being done to the run, or was cut off.

    Raises:
        RunError: Says which, and how it goes on.
    """
    mark = read_mark(_progress(connection, run_id))
    if mark and mark.what in whats:
        _refuse(run_id, mark)


def refuse_unfinished(connection: Connection, run_id: int) -> None:
    """Raise unless the run is whole in this snapshot.

    Raises:
        RunError: It is being imported, parsed again or re-decided, or that was cut off.
    """
    if mark := read_mark(_progress(connection, run_id)):
        _refuse(run_id, mark)


def _refuse(run_id: int, mark: Unfinished) -> None:
    doing, again = _WORDS[mark.what]
    raise RunError(
        f"run {run_id} is still being {doing}",
        hint=Hint("that was cut off; {again}", again=again) if mark.abandoned else "try again in a moment",
    )


def _progress(connection: Connection, run_id: int) -> dict[str, Any]:
    query = select(runs.c.progress).where(runs.c.id == run_id)
    if connection.get_execution_options().get("winnow_write"):
        # SQLite has one writer at a time anyway, and leaves this out.
        query = query.with_for_update()
    return dict(connection.execute(query).scalar_one_or_none() or {})


def _write(connection: Connection, run_id: int, progress: Mapping[str, Any]) -> None:
    connection.execute(update(runs).where(runs.c.id == run_id).values(progress=dict(progress)))
