"""Indexes beside the truth: made when first needed, and filled after the fact in short steps.

No run and no import waits for them. They cover predictions up to some id; whoever asks looks at what
is newer some other way. Predictions are never changed or removed, so that nothing about them ages in
an index; one about verdicts is emptied when texts are parsed again. SQLite only: other databases
answer without them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from backend.store.database import Database
from backend.store.schema import predictions

CHUNK = 1_000
"""Predictions a transaction: a ruling that comes meanwhile waits some tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an index is made.

    Attributes:
        table: What is there when the index is.
        make: Statements that make it where it is not.
        upto: A query for the newest prediction in it; null for none.
        fill: Statements that add predictions ``:after < id <= :upto``.
        empty: Statements that take everything out; none where nothing ages.
    """

    table: str
    make: Sequence[str]
    upto: str
    fill: Sequence[str]
    empty: Sequence[str] = ()


class LazyIndex:
    """One such index of one workspace."""

    def __init__(self, database: Database, recipe: Recipe) -> None:
        self._db = database
        self._recipe = recipe

    def upto(self) -> int:
        """The newest prediction in it; 0 for none, -1 where the database has no such index."""
        if not self._db.is_sqlite:
            return -1
        with self._db.read() as connection:
            if not _is_there(connection, self._recipe):
                return 0
            return self._filled(connection)

    def behind(self) -> int:
        """About how many predictions are not in it yet; 0 where there is no such index."""
        upto = self.upto()
        return 0 if upto < 0 else max(0, self._newest() - upto)

    def complete(self) -> bool:
        """Whether it can answer alone."""
        return self._db.is_sqlite and self.upto() >= self._newest()

    def catch_up(self, seconds: float) -> int:
        """Add what is new, for about so long; returns about how many predictions are left.

        Each step is a short transaction, and several processes may take turns.
        """
        if not self._db.is_sqlite:
            return 0
        end = time.monotonic() + seconds
        upto, newest = self.upto(), self._newest()
        while upto < newest:
            with self._db.write(derived=True) as connection:
                if upto == 0:
                    for statement in self._recipe.make:
                        connection.execute(text(statement))
                # Under the write lock: another process may have gone on from here meanwhile.
                upto = self._filled(connection)
                following = (
                    select(predictions.c.id)
                    .where(predictions.c.id > upto)
                    .order_by(predictions.c.id)
                    .limit(CHUNK)
                    .subquery()
                )
                step = connection.execute(select(func.max(following.c.id))).scalar()
                if step is None:
                    break
                for statement in self._recipe.fill:
                    connection.execute(text(statement), {"after": upto, "upto": step})
                upto = int(step)
            if time.monotonic() > end:
                break
        return max(0, newest - upto)

    def _filled(self, connection: Connection) -> int:
        return int(connection.execute(text(self._recipe.upto)).scalar() or 0)

    def _newest(self) -> int:
        with self._db.read() as connection:
            return int(connection.execute(select(func.max(predictions.c.id))).scalar() or 0)


def empty(connection: Connection, recipe: Recipe) -> None:
    """Take everything out of an index, inside the caller's transaction; it is filled again as needed."""
    if connection.dialect.name == "sqlite" and _is_there(connection, recipe):
        for statement in recipe.empty:
            connection.execute(text(statement))


def _is_there(connection: Connection, recipe: Recipe) -> bool:
    known = text("SELECT 1 FROM sqlite_master WHERE name = :name")
    return connection.execute(known, {"name": recipe.table}).first() is not None
