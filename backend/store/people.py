"""What the dashboard keeps of each person: name of a browser session, keys, last filters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select

from backend.store.database import Database
from backend.store.schema import people


class People:
    """Settings by name. A browser session is kept under ``session:ID`` and holds a name."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def settings(self, name: str) -> dict[str, Any]:
        """What is kept of ``name``; empty for somebody new."""
        with self._db.read() as connection:
            found = connection.execute(
                select(people.c.settings).where(people.c.name == name)
            ).scalar_one_or_none()
        return dict(found or {})

    def keep(self, name: str, /, **settings: Any) -> None:
        """Replace some of the settings of ``name`` and leave the others."""
        with self._db.write(durable=True) as connection:
            found = connection.execute(
                select(people.c.settings).where(people.c.name == name)
            ).scalar_one_or_none()
            connection.execute(delete(people).where(people.c.name == name))
            merged = {**(found or {}), **settings}
            connection.execute(insert(people).values(name=name, settings=merged))
