"""Who changes a prediction's decision holds its verdict's row until the commit.

SQLite has one writer at a time, and needs no locks of rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from backend.store.schema import verdicts


def lock_verdicts(connection: Connection, prediction_ids: Iterable[int]) -> None:
    """Wait for whoever else is changing these decisions; what is read from now on is the newest.

    Whatever decides by what it reads (a ruling by those before it, the filter by whether somebody has
    ruled) locks first, all that it is going to change, and by ascending id: so that two that lock the
    same rows wait for each other in one direction only.
    """
    ids = sorted(set(prediction_ids))
    if not ids or connection.dialect.name == "sqlite":
        return
    connection.execute(
        select(verdicts.c.prediction_id)
        .where(verdicts.c.prediction_id.in_(ids))
        .order_by(verdicts.c.prediction_id)
        .with_for_update()
    )
