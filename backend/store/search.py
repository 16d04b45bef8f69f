"""A full-text index over captions and judges' texts, filled after the fact.

It is a cache beside the truth: contentless FTS5 (https://sqlite.org/fts5.html#contentless_tables),
made when first needed and filled up to the newest prediction in bounded steps, so that no run waits
for it. Other databases have no such table and search the texts themselves.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import ColumnElement, String, and_, exists, func, or_, select, text
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from backend.store.database import Database
from backend.store.schema import pairs, predictions, verdicts

CHUNK = 4_000
_INDEX = sql_table("search", sql_column("rowid"), sql_column("search", String))
_MAKE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5("
    "caption, text, content='', columnsize=1, tokenize='unicode61 remove_diacritics 2')"
)
_FILL = (
    "INSERT INTO search(rowid, caption, text)"
    " SELECT p.id, pairs.prompt, p.text FROM predictions p JOIN pairs ON pairs.id = p.pair_id"
    " WHERE p.id > :after AND p.id <= :upto"
)


class SearchIndex:
    """The index of one workspace."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def upto(self) -> int:
        """The newest prediction in the index; 0 for an empty one, -1 where there is none."""
        if not self._db.is_sqlite:
            return -1
        with self._db.read() as connection:
            there = connection.execute(
                text("SELECT 1 FROM sqlite_master WHERE name = 'search_docsize'")
            ).first()
            if there is None:
                return 0
            found = connection.execute(text("SELECT max(id) FROM search_docsize")).scalar()
        return int(found or 0)

    def catch_up(self, seconds: float = 2.0) -> int:
        """Index what is new, for about so long; returns how many predictions are left.

        Each step is a short transaction, so that reviewers' rulings get in between.
        """
        if not self._db.is_sqlite:
            return 0
        end = time.monotonic() + seconds
        upto = self.upto()
        with self._db.read() as connection:
            newest = int(connection.execute(select(func.max(predictions.c.id))).scalar() or 0)
        while upto < newest:
            with self._db.write() as connection:
                connection.execute(text(_MAKE))
                # Under the write lock: another process may have gone on from here meanwhile.
                found = connection.execute(text("SELECT max(id) FROM search_docsize")).scalar()
                upto = int(found or 0)
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
                connection.execute(text(_FILL), {"after": upto, "upto": step})
                upto = int(step)
            if time.monotonic() > end:
                break
        return max(0, newest - upto)


def matching(words: tuple[str, ...], *, upto: int) -> ColumnElement[bool]:
    """The condition that all words stand in caption or text, for queries over ``verdicts``.

    Args:
        upto: As :meth:`SearchIndex.upto` says; newer predictions are searched one by one.
    """
    if upto <= 0:
        return _by_hand(words)
    found = (
        select(_INDEX.c.rowid)
        .where(text("search MATCH :winnow_search"))
        .params(winnow_search=fts_query(words))
    )
    return or_(
        verdicts.c.prediction_id.in_(found),
        and_(verdicts.c.prediction_id > upto, _by_hand(words)),
    )


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
                        pairs.c.id == predictions.c.pair_id,
                        pairs.c.prompt.icontains(word, autoescape=True),
                    )
                ),
            )
        )
    return exists(select(predictions.c.id).where(*conditions))


__all__ = ["SearchIndex", "fts_query", "matching"]
