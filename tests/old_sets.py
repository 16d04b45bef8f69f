"""Sets as older workspaces hold them: names were not checked then."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update

from backend.store.schema import curated_sets
from backend.workspace import Workspace


def freeze_as(space: Workspace, name: str, runs: Sequence[int]) -> None:
    """Freeze under a name that would be refused today."""
    frozen = space.freeze("renamed", runs)
    with space.database.write() as connection:
        connection.execute(update(curated_sets).where(curated_sets.c.id == frozen.id).values(name=name))
