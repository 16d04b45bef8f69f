"""What a run's verdicts add up to: grouped counts, made in the database.

A run may hold a million predictions. Every query here returns a few thousand rows at most, whatever
the run's size.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, and_, case, cast, func, or_, select, text

from backend.domain.pairs import Order, Preference
from backend.store.database import Database
from backend.store.schema import pairs, verdicts

MOST_GROUPS = 100_000
"""More different margins and flaws than any judge gives; see :meth:`AnalysisRows.groups`."""
CAPTION_LENGTHS = (25, 50, 100, 200, 400)
"""Captions are told apart by these numbers of characters."""
_MOST_DIMENSIONS = 12

_v = verdicts.c
_READABLE = and_(_v.answer.is_not(None), _v.preferred != "tie")
_RIGHT = and_(_READABLE, _v.answer == _v.preferred)


class Group(NamedTuple):
    """Predictions that the filter cannot tell apart; sides are relative to ``shown_order``."""

    shown_order: str
    preferred: str
    answer: str | None
    margin: float | None
    flaws: int
    decision: str
    reason: str
    n: int


class AnalysisRows:
    """The grouped counts of a workspace's runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def groups(self, run_id: int) -> list[Group] | None:
        """Every kind of prediction in a run with its number; ``None`` when there are more kinds
        than :data:`MOST_GROUPS`."""
        kinds = (_v.shown_order, _v.preferred, _v.answer, _v.margin, _v.flaws, _v.decision, _v.reason)
        query = (
            select(*kinds, func.count())
            .where(_v.run_id == run_id)
            .group_by(*kinds)
            .order_by(*kinds)
            .limit(MOST_GROUPS + 1)
        )
        with self._db.read() as connection:
            rows = [Group(*row) for row in connection.execute(query)]
        return rows if len(rows) <= MOST_GROUPS else None

    def coarse_groups(self, run_id: int) -> list[Group]:
        """:meth:`groups` with margins rounded to whole numbers, for a run with too many."""
        margin = cast(func.round(_v.margin), Float)
        kinds = (_v.shown_order, _v.preferred, _v.answer, margin, _v.flaws, _v.decision, _v.reason)
        query = (
            select(*kinds, func.count()).where(_v.run_id == run_id).group_by(*kinds).order_by(*kinds).limit(MOST_GROUPS)
        )
        with self._db.read() as connection:
            return [Group(*row) for row in connection.execute(query)]

    def by_caption_length(self, run_id: int) -> list[tuple[int, int, int]]:
        """``(bucket, readable, right)``; bucket ``i`` is below ``CAPTION_LENGTHS[i]`` characters."""
        mine = (
            select(_v.pair_id, count_if(_READABLE).label("readable"), count_if(_RIGHT).label("right"))
            .where(_v.run_id == run_id)
            .group_by(_v.pair_id)
            .subquery()
        )
        length = func.length(pairs.c.prompt)
        bucket = case(
            *((length < limit, place) for place, limit in enumerate(CAPTION_LENGTHS)), else_=len(CAPTION_LENGTHS)
        )
        query = (
            select(bucket, func.sum(mine.c.readable), func.sum(mine.c.right))
            .join(pairs, pairs.c.id == mine.c.pair_id)
            .group_by(bucket)
            .order_by(bucket)
        )
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        return [(int(place), int(readable), int(right)) for place, readable, right in rows]

    def both_orders(self, run_id: int) -> list[tuple[str | None, str | None, int]]:
        """Answers to one pair and sample in dataset and in swapped order, each relative to what was
        shown, with how often the two came together."""
        answers = (
            func.max(case((_v.shown_order == order.value, func.coalesce(_v.answer, ""))))
            for order in (Order.DATASET, Order.SWAPPED)
        )
        per_sample = (
            select(*(answer.label(name) for name, answer in zip("ds", answers, strict=True)))
            .where(_v.run_id == run_id)
            .group_by(_v.pair_id, _v.sample)
            .subquery()
        )
        d, s = per_sample.c
        query = select(d, s, func.count()).where(d.is_not(None), s.is_not(None)).group_by(d, s)
        with self._db.read() as connection:
            return [(a or None, b or None, int(n)) for a, b, n in connection.execute(query)]

    def by_dimension(self, run_id: int) -> list[tuple[str, int, int, int]]:
        """``(name, agree, disagree, equal)``: how often a dimension's scores put the side in front
        that the human prefers. Dimensions with most scores first."""
        with self._db.read() as connection:
            rows = connection.execute(
                text(_DIMENSIONS_SQLITE if self._db.is_sqlite else _DIMENSIONS_POSTGRES),
                {"run": run_id, "most": _MOST_DIMENSIONS},
            ).all()
        return [(str(row[0]), int(row[1]), int(row[2]), int(row[3])) for row in rows]


def names_side(side: Preference, order: ColumnElement[str], answer: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether an answer about the shown order names ``side`` of dataset order: the condition
    ``order.turn(answer) == side`` on two columns."""
    return or_(*(and_(order == one.value, answer == one.turn(side).value) for one in Order))


def count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows of a group meet a condition."""
    return func.sum(case((condition, 1), else_=0))


# JSON is taken apart where it lies, and each text of it once: judges give few different scores.
_DIMENSIONS = """
WITH scored AS ({scored})
SELECT name,
  SUM(CASE WHEN (one > two AND preferred = 'first') OR (one < two AND preferred = 'second')
      THEN n ELSE 0 END) AS agree,
  SUM(CASE WHEN (one > two AND preferred = 'second') OR (one < two AND preferred = 'first')
      THEN n ELSE 0 END) AS disagree,
  SUM(CASE WHEN one = two THEN n ELSE 0 END) AS equal
FROM scored WHERE one IS NOT NULL AND two IS NOT NULL
GROUP BY name ORDER BY SUM(n) DESC, name LIMIT :most
"""
_DIMENSIONS_SQLITE = _DIMENSIONS.format(
    scored="""
    SELECT v.preferred, v.n, json_extract(d.value, '$[0]') AS name,
      json_extract(d.value, '$[1]') AS one, json_extract(d.value, '$[2]') AS two
    FROM (SELECT preferred, scores, COUNT(*) AS n FROM verdicts
          WHERE run_id = :run AND preferred <> 'tie' GROUP BY preferred, scores) v,
      json_each(v.scores, '$.dimensions') d"""
)
_DIMENSIONS_POSTGRES = _DIMENSIONS.format(
    scored="""
    SELECT v.preferred, v.n, d.value ->> 0 AS name,
      CAST(d.value ->> 1 AS double precision) AS one,
      CAST(d.value ->> 2 AS double precision) AS two
    FROM (SELECT preferred, CAST(scores AS text) AS scores, COUNT(*) AS n FROM verdicts
          WHERE run_id = :run AND preferred <> 'tie' GROUP BY preferred, CAST(scores AS text)) v,
      json_array_elements(CAST(v.scores AS json) -> 'dimensions') AS d(value)"""
)
