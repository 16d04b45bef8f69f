"""Rows found by many values of one column, by its index on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, Column, Connection, Select, bindparam, column, func, select, true


def look_up(
    connection: Connection, columns: Iterable[Column[Any]], by: Column[Any], values: Iterable[Any], **where: Any
) -> list[Any]:
    """Rows of ``columns`` in which ``by`` is one of ``values``, in no order.

    PostgreSQL plans by what a table was when it was last analysed. It takes a run that has begun since
    for one of few rows, and for ``pair_id IN (…)`` reads all of them: each batch more than the one
    before. A look-up for each value is by the index, whatever the planner knows.

    Args:
        where: What other columns of the same table are, by name.
    """
    unique = sorted(set(values))
    if not unique:
        return []
    query = _query(connection.dialect.name == "sqlite", tuple(columns), by, tuple(where))
    return list(connection.execute(query, {"looked_up": unique, **where}))


@cache
def _query(sqlite: bool, columns: tuple[Column[Any], ...], by: Column[Any], names: tuple[str, ...]) -> Select[Any]:
    equal = [by.table.c[name] == bindparam(name, type_=by.table.c[name].type) for name in names]
    if sqlite:
        return select(*columns).where(*equal, by.in_(bindparam("looked_up", expanding=True)))
    given = func.unnest(bindparam("looked_up", type_=ARRAY(by.type)))
    wanted = given.table_valued(column("value", by.type), name="wanted").render_derived()
    # The offset keeps the planner from making one join of it.
    found = select(*columns).where(*equal, by == wanted.c.value).offset(0).lateral()
    return select(*found.c).select_from(wanted.join(found, true()))
