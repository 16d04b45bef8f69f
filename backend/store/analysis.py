"""What a run's verdicts add up to: grouped counts, made in the database.

A run may hold a million predictions. Every query here returns a few thousand rows at most, whatever
the run's size, except where a page of pairs is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
)

from backend.store.database import Database
from backend.store.schema import failures, pairs, verdicts

MOST_GROUPS = 100_000
"""More different margins and flaws than any judge gives; see :meth:`AnalysisRows.groups`."""
CAPTION_LENGTHS = (25, 50, 100, 200, 400)
"""Captions are told apart by these numbers of characters."""
_MOST_DIMENSIONS = 12
_WINDOW, _LARGEST_WINDOW = 5_000, 100_000

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


class Said(NamedTuple):
    """What two runs say of pairs, in dataset order; ``none`` where a run is of two minds or
    unreadable."""

    a: str
    b: str
    preference: str
    n: int


class FlippedPair(NamedTuple):
    """A pair on which two runs differ. Everything is in dataset order."""

    pair_id: int
    idx: int
    prompt: str
    kind: str
    preference: str
    a: str
    b: str


class FailedPair(NamedTuple):
    """A prediction that could not be made."""

    failure_id: int
    idx: int
    order: str
    sample: int
    attempts: int
    error: str
    hint: str | None


class AnalysisRows:
    """The grouped counts of a workspace's runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def groups(self, run_id: int) -> list[Group] | None:
        """Every kind of prediction in a run with its number; ``None`` when there are more kinds
        than :data:`MOST_GROUPS`."""
        kinds = (
            _v.shown_order, _v.preferred, _v.answer, _v.margin, _v.flaws, _v.decision, _v.reason
        )  # fmt: skip
        query = (
            select(*kinds, func.count())
            .where(_v.run_id == run_id)
            .group_by(*kinds)
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
            select(*kinds, func.count())
            .where(_v.run_id == run_id)
            .group_by(*kinds)
            .limit(MOST_GROUPS)
        )
        with self._db.read() as connection:
            return [Group(*row) for row in connection.execute(query)]

    def by_caption_length(self, run_id: int) -> list[tuple[int, int, int]]:
        """``(bucket, readable, right)``; bucket ``i`` is below ``CAPTION_LENGTHS[i]`` characters."""
        mine = (
            select(_v.pair_id, _count(_READABLE).label("readable"), _count(_RIGHT).label("right"))
            .where(_v.run_id == run_id)
            .group_by(_v.pair_id)
            .subquery()
        )
        length = func.length(pairs.c.prompt)
        bucket = case(
            *((length < limit, place) for place, limit in enumerate(CAPTION_LENGTHS)),
            else_=len(CAPTION_LENGTHS),
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
        per_sample = (
            select(
                func.max(case((_v.shown_order == "dataset", func.coalesce(_v.answer, "")))).label("d"),
                func.max(case((_v.shown_order == "swapped", func.coalesce(_v.answer, "")))).label("s"),
            )
            .where(_v.run_id == run_id)
            .group_by(_v.pair_id, _v.sample)
            .subquery()
        )  # fmt: skip
        d, s = per_sample.c.d, per_sample.c.s
        query = (
            select(d, s, func.count())
            .where(d.is_not(None), s.is_not(None))
            .group_by(d, s)
        )  # fmt: skip
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

    def failures(self, run_id: int, *, after: int = 0, limit: int = 50) -> list[FailedPair]:
        """What could not be made, oldest first, behind failure ``after``."""
        c = failures.c
        query = (
            select(c.id, pairs.c.idx, c.shown_order, c.sample, c.attempts, c.error, c.hint)
            .join(pairs, pairs.c.id == c.pair_id)
            .where(c.run_id == run_id, c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
        with self._db.read() as connection:
            return [FailedPair(*row) for row in connection.execute(query)]

    # -- two runs ------------------------------------------------------------------------------

    def said(self, run_a: int, run_b: int) -> list[Said]:
        """What the two runs say of the pairs that both have judged."""
        query = _both(run_a, run_b, pairs.c.preference)
        a, b, preference = query.selected_columns
        counted = query.add_columns(func.count()).group_by(a, b, preference)
        with self._db.read() as connection:
            return [Said(*row) for row in connection.execute(counted)]

    def pairs_said(
        self, run_a: int, run_b: int, outcome: str, *, after: int = 0, limit: int = 24
    ) -> list[FlippedPair]:
        """Pairs with an outcome of :data:`OUTCOMES` by id, from behind ``after`` on."""
        found: list[FlippedPair] = []
        for window in self._windows(run_a, after):
            query = _both(
                run_a, run_b, pairs.c.id, pairs.c.idx, pairs.c.prompt, pairs.c.kind,
                pairs.c.preference, window=window,
            ).order_by(pairs.c.id)  # fmt: skip
            with self._db.read() as connection:
                for a, b, pair_id, index, prompt, kind, preference in connection.execute(query):
                    if outcome_of(a, b, preference) == outcome:
                        found.append(FlippedPair(pair_id, index, prompt, kind, preference, a, b))
                        if len(found) == limit:
                            return found
        return found

    def predictions_said(self, run_a: int, run_b: int, outcome: str, of_run: int) -> Iterator[int]:
        """One prediction of ``of_run`` for each pair with an outcome, by pair."""
        last = 0
        while page := self.pairs_said(run_a, run_b, outcome, after=last, limit=500):
            query = (
                select(func.min(_v.prediction_id))
                .where(_v.run_id == of_run, _v.pair_id.in_([row.pair_id for row in page]))
                .group_by(_v.pair_id)
                .order_by(_v.pair_id)
            )
            with self._db.read() as connection:
                ids = connection.execute(query).scalars().all()
            yield from ids
            last = page[-1].pair_id

    def _windows(self, run_id: int, after: int) -> Iterator[tuple[int, int]]:
        """Ranges of pair ids: small at first, for a page that is full at once; then larger, for
        what is rare."""
        size = _WINDOW
        while True:
            query = (
                select(_v.pair_id)
                .where(_v.run_id == run_id, _v.pair_id > after)
                .order_by(_v.pair_id)
                .limit(size)
            )
            size = min(2 * size, _LARGEST_WINDOW)
            with self._db.read() as connection:
                ids = connection.execute(query).scalars().all()
            if not ids:
                return
            yield after, int(ids[-1])
            after = int(ids[-1])


OUTCOMES = ("both_right", "only_a", "only_b", "both_wrong")


def outcome_of(a: str, b: str, preference: str) -> str | None:
    """Which of two runs are right about a pair; ``None`` where the human found a tie."""
    if preference == "tie":
        return None
    return OUTCOMES[2 * (a != preference) + (b != preference)]


def _both(
    run_a: int, run_b: int, *columns: ColumnElement[Any], window: tuple[int, int] | None = None
) -> Select[Any]:
    one, two = _winners(run_a, window).subquery("a"), _winners(run_b, window).subquery("b")
    return (
        select(one.c.said.label("said_a"), two.c.said.label("said_b"), *columns)
        .select_from(one)
        .join(two, two.c.pair_id == one.c.pair_id)
        .join(pairs, pairs.c.id == one.c.pair_id)
    )


def _winners(run_id: int, window: tuple[int, int] | None) -> Select[Any]:
    """Each pair with the side, in dataset order, that most of a run's predictions name."""
    swapped = _v.shown_order == "swapped"
    first = _count(or_(and_(~swapped, _v.answer == "first"), and_(swapped, _v.answer == "second")))
    second = _count(or_(and_(~swapped, _v.answer == "second"), and_(swapped, _v.answer == "first")))
    tie = _count(_v.answer == "tie")
    said = case(
        (and_(first > second, first > tie), literal_column("'first'", String)),
        (and_(second > first, second > tie), literal_column("'second'", String)),
        (and_(tie > first, tie > second), literal_column("'tie'", String)),
        else_=literal_column("'none'", String),
    )
    query = select(_v.pair_id, said.label("said")).where(_v.run_id == run_id)
    if window:
        query = query.where(_v.pair_id > window[0], _v.pair_id <= window[1])
    return query.group_by(_v.pair_id)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
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
