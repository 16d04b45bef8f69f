"""Finding words in captions and judges' texts.

A contentless FTS5 table (https://sqlite.org/fts5.html#contentless_tables) is an index beside the
truth; see :mod:`backend.store.lazy_index`. Where it is not complete, and in other databases, the
texts themselves are searched.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, exists, or_, select, text
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from backend.store.lazy_index import Recipe
from backend.store.schema import pairs, predictions, verdicts

search = sql_table("search", sql_column("rowid", Integer), sql_column("search", String))
"""``rowid`` is the prediction's id."""

RECIPE = Recipe(
    table="search_docsize",
    make=(
        "CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5("
        "caption, text, content='', columnsize=1, tokenize='unicode61 remove_diacritics 2')",
    ),
    upto="SELECT max(id) FROM search_docsize",
    fill=(
        "INSERT INTO search(rowid, caption, text)"
        " SELECT p.id, pairs.prompt, p.text FROM predictions p JOIN pairs ON pairs.id = p.pair_id"
        " WHERE p.id > :after AND p.id <= :upto",
    ),
)


def found(words: tuple[str, ...]) -> ColumnElement[bool]:
    """The condition on ``search`` that all words stand in caption or text."""
    match: ColumnElement[bool] = text("search MATCH :winnow_search").bindparams(  # type: ignore[assignment]
        winnow_search=fts_query(words)
    )
    return match


def matching(words: tuple[str, ...], *, upto: int) -> ColumnElement[bool]:
    """The condition that all words stand in caption or text, for queries over ``verdicts`` alone.

    Args:
        upto: The newest prediction in the index; newer ones are read one by one.
    """
    if upto <= 0:
        return _by_hand(words)
    indexed = select(search.c.rowid).where(found(words))
    return or_(verdicts.c.prediction_id.in_(indexed), and_(verdicts.c.prediction_id > upto, _by_hand(words)))


def fts_query(words: tuple[str, ...]) -> str:
    """Words as FTS5 phrases, the last letters of each free; nothing in them is syntax."""
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words)


def _by_hand(words: tuple[str, ...]) -> ColumnElement[bool]:
    conditions: list[Any] = [predictions.c.id == verdicts.c.prediction_id]
    for word in words:
        conditions.append(
            or_(
                predictions.c.text.icontains(word, autoescape=True),
                exists(
                    select(pairs.c.id).where(
                        pairs.c.id == predictions.c.pair_id, pairs.c.prompt.icontains(word, autoescape=True)
                    )
                ),
            )
        )
    return exists(select(predictions.c.id).where(*conditions))


__all__ = ["RECIPE", "found", "fts_query", "matching", "search"]
