"""Dimension scores in a form that can be searched: one narrow row a prediction and dimension.

The truth is ``verdicts.scores``, whose JSON costs two seconds to read for a million verdicts. This is
an index beside it; where it is not complete, the JSON is read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    exists,
    func,
    literal,
    select,
)

from backend.domain.browse import BrowseFilter
from backend.store.lazy_index import Recipe
from backend.store.schema import verdicts

# Not in the workspace's schema: made and filled as needed, like any cache.
_tables = MetaData()
_names = Table("dimension_names", _tables, Column("id", Integer, primary_key=True), Column("name", String))
scores = Table(
    "dimension_scores",
    _tables,
    Column("name_id", Integer),
    Column("prediction_id", Integer),
    Column("first", Float),
    Column("second", Float),
)
"""Ordered by dimension, and within one by prediction."""

_NEW_NAMES = """
    INSERT OR IGNORE INTO dimension_names (name) SELECT DISTINCT lower(d.value ->> 0)
    FROM verdicts v, json_each(v.scores, '$.dimensions') d
    WHERE v.prediction_id > :after AND v.prediction_id <= :upto
"""
_NEW_SCORES = """
    INSERT OR IGNORE INTO dimension_scores
    SELECT (SELECT id FROM dimension_names WHERE name = lower(d.value ->> 0)),
    v.prediction_id, d.value ->> 1, d.value ->> 2
    FROM verdicts v, json_each(v.scores, '$.dimensions') d
    WHERE v.prediction_id > :after AND v.prediction_id <= :upto
"""
RECIPE = Recipe(
    table="dimension_upto",
    make=(
        "CREATE TABLE IF NOT EXISTS dimension_names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        "CREATE TABLE IF NOT EXISTS dimension_scores"
        " (name_id INTEGER NOT NULL, prediction_id INTEGER NOT NULL, first REAL, second REAL,"
        " PRIMARY KEY (name_id, prediction_id)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS dimension_upto (upto INTEGER NOT NULL)",
    ),
    upto="SELECT max(upto) FROM dimension_upto",
    fill=(_NEW_NAMES, _NEW_SCORES, "DELETE FROM dimension_upto", "INSERT INTO dimension_upto VALUES (:upto)"),
    empty=("DELETE FROM dimension_scores", "DELETE FROM dimension_upto"),
)


def scored(wanted: BrowseFilter, *, indexed: bool, sqlite: bool) -> ColumnElement[bool]:
    """The condition on a dimension's score, for queries over ``verdicts``.

    Args:
        indexed: The index is complete.
    """
    if indexed:
        return exists(
            select(literal(1))
            .select_from(scores)
            .where(scores.c.prediction_id == verdicts.c.prediction_id, indexed_scores(wanted))
        )
    each = (
        func.json_each(verdicts.c.scores, "$.dimensions")
        if sqlite
        else func.json_array_elements(verdicts.c.scores["dimensions"])
    )
    row = each.table_valued("value", name="dimension")
    its_name, first, second = (_element(row.c.value, place, sqlite) for place in range(3))
    conditions = [func.lower(its_name) == (wanted.dimension or "").lower(), *_within(wanted, first, second)]
    return exists(select(literal(1)).select_from(row).where(*conditions))


def indexed_scores(wanted: BrowseFilter) -> ColumnElement[bool]:
    """The condition on a dimension's score, for queries over ``scores`` alone."""
    name = (wanted.dimension or "").lower()
    of_name = select(_names.c.id).where(_names.c.name == name).scalar_subquery()
    return and_(scores.c.name_id == of_name, *_within(wanted, scores.c.first, scores.c.second))


def _within(wanted: BrowseFilter, first: Any, second: Any) -> list[ColumnElement[bool]]:
    value = {"first": first, "second": second, "difference": first - second}[wanted.measure]
    conditions = []
    if wanted.score_min is not None:
        conditions.append(value >= wanted.score_min)
    if wanted.score_max is not None:
        conditions.append(value <= wanted.score_max)
    return conditions


def _element(value: Any, place: int, sqlite: bool) -> Any:
    if sqlite:
        return func.json_extract(value, f"$[{place}]")
    text_ = value.op("->>")(place)
    return text_ if place == 0 else text_.cast(Float)
