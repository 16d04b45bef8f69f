"""What the dashboard keeps of each person: name of a browser session, keys, last filters, presets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from backend.store.database import Database
from backend.store.schema import people


class People:
    """Settings by name. A browser session is kept under ``session:ID``: name, end, page it wanted."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def settings(self, name: str) -> dict[str, Any]:
        """What is kept of ``name``; empty for somebody new."""
        with self._db.read() as connection:
            return self._find(connection, name)

    def keep(self, name: str, /, **settings: Any) -> None:
        """Replace some of the settings of ``name`` and leave the others."""
        with self._db.write(durable=True) as connection:
            self._put(connection, name, {**self._find(connection, name), **settings})

    def keep_within(self, name: str, group: str, entry: str, value: Any) -> None:
        """Replace one entry of a setting that is a mapping; ``None`` takes it out.

        In one transaction: two windows of one person lose nothing of each other's.
        """
        with self._db.write(durable=True) as connection:
            settings = self._find(connection, name)
            entries = {**settings.get(group, {}), entry: value}
            kept = {key: one for key, one in entries.items() if one is not None}
            self._put(connection, name, {**settings, group: kept})

    def _find(self, connection: Connection, name: str) -> dict[str, Any]:
        query = select(people.c.settings).where(people.c.name == name)
        return dict(connection.execute(query).scalar_one_or_none() or {})

    def _put(self, connection: Connection, name: str, settings: dict[str, Any]) -> None:
        connection.execute(delete(people).where(people.c.name == name))
        connection.execute(insert(people).values(name=name, settings=settings))
