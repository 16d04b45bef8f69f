"""What two runs say of the pairs that both have judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, and_, case, func, literal_column, select

from backend.domain.pairs import Preference
from backend.store.analysis import count_if, names_side
from backend.store.database import Database
from backend.store.schema import pairs, verdicts

OUTCOMES = ("both_right", "only_a", "only_b", "both_wrong")
_WINDOW, _LARGEST_WINDOW = 5_000, 100_000

_v = verdicts.c


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


class Comparisons:
    """Pairs of runs, compared in the database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def said(self, run_a: int, run_b: int) -> list[Said]:
        """What the two runs say of the pairs that both have judged."""
        query = _both(run_a, run_b, pairs.c.preference)
        a, b, preference = query.selected_columns
        counted = query.add_columns(func.count()).group_by(a, b, preference)
        with self._db.read() as connection:
            return [Said(*row) for row in connection.execute(counted)]

    def pairs_said(self, run_a: int, run_b: int, outcome: str, *, after: int = 0, limit: int = 24) -> list[FlippedPair]:
        """Pairs with an outcome of :data:`OUTCOMES` by id, from behind ``after`` on."""
        found: list[FlippedPair] = []
        for window in self._windows(run_a, after):
            query = _both(
                run_a, run_b, pairs.c.id, pairs.c.idx, pairs.c.prompt, pairs.c.kind, pairs.c.preference, window=window
            ).order_by(pairs.c.id)
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
            query = select(_v.pair_id).where(_v.run_id == run_id, _v.pair_id > after).order_by(_v.pair_id).limit(size)
            size = min(2 * size, _LARGEST_WINDOW)
            with self._db.read() as connection:
                ids = connection.execute(query).scalars().all()
            if not ids:
                return
            yield after, int(ids[-1])
            after = int(ids[-1])


def outcome_of(a: str, b: str, preference: str) -> str | None:
    """Which of two runs are right about a pair; ``None`` where the human found a tie."""
    if preference == "tie":
        return None
    return OUTCOMES[2 * (a != preference) + (b != preference)]


def _both(run_a: int, run_b: int, *columns: ColumnElement[Any], window: tuple[int, int] | None = None) -> Select[Any]:
    one, two = _winners(run_a, window).subquery("a"), _winners(run_b, window).subquery("b")
    return (
        select(one.c.said.label("said_a"), two.c.said.label("said_b"), *columns)
        .select_from(one)
        .join(two, two.c.pair_id == one.c.pair_id)
        .join(pairs, pairs.c.id == one.c.pair_id)
    )


def _winners(run_id: int, window: tuple[int, int] | None) -> Select[Any]:
    """Each pair with the side, in dataset order, that most of a run's predictions name."""
    first, second, tie = (count_if(names_side(side, _v.shown_order, _v.answer)) for side in Preference)
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
