"""The stored texts of a run with the verdicts on them, and other verdicts written back. All of it runs
inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from backend.domain.reading import READER
from backend.store.dimension_scores import RECIPE
from backend.store.lazy_index import empty
from backend.store.locking import lock_verdicts
from backend.store.schema import pairs, predictions, runs, verdicts


@dataclass(slots=True)
class Written:
    """A stored text, and the part of its verdict that follows from it."""

    prediction_id: int
    kind: str
    text: str
    finish_reason: str | None
    answer: str | None
    margin: float | None
    flaws: int
    reasoning_hash: int | None
    scores: dict[str, Any]


def written_page(connection: Connection, run_id: int, after: int, *, rows: int, characters: int) -> list[Written]:
    """The texts of a run behind the prediction ``after``, by id: at most so many rows, and at most
    about so many characters of text, but at least one row."""
    sizes = connection.execute(
        select(verdicts.c.prediction_id, verdicts.c.text_length)
        .where(verdicts.c.run_id == run_id, verdicts.c.prediction_id > after)
        .order_by(verdicts.c.prediction_id)
        .limit(rows)
    ).all()
    if not sizes:
        return []
    last, left = sizes[0].prediction_id, characters
    for prediction_id, length in sizes:
        left -= length
        if left < 0:
            break
        last = prediction_id
    query = (
        select(
            predictions.c.id,
            verdicts.c.kind,
            predictions.c.text,
            predictions.c.finish_reason,
            verdicts.c.answer,
            verdicts.c.margin,
            verdicts.c.flaws,
            verdicts.c.reasoning_hash,
            verdicts.c.scores,
        )
        .join(verdicts, verdicts.c.prediction_id == predictions.c.id)
        .where(predictions.c.run_id == run_id, predictions.c.id > after, predictions.c.id <= last)
        .order_by(predictions.c.id)
    )
    return [Written(*tuple(row)) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a prediction stands: its pair's index in the dataset, and which answer to it."""

    index: int
    order: str
    sample: int


def places_of(connection: Connection, ids: Iterable[int]) -> dict[int, Place]:
    """Where each of some predictions stands."""
    query = (
        select(predictions.c.id, pairs.c.idx.label("place"), predictions.c.shown_order, predictions.c.sample)
        .join(pairs, pairs.c.id == predictions.c.pair_id)
        .where(predictions.c.id.in_(list(ids)))
    )
    return {
        row.id: Place(index=row.place, order=row.shown_order, sample=row.sample) for row in connection.execute(query)
    }


def note_reader(connection: Connection, run_id: int) -> None:
    """Every text of the run was read by this version's reading."""
    connection.execute(update(runs).where(runs.c.id == run_id).values(reader=READER))


_WRITE = (
    update(verdicts)
    .where(verdicts.c.prediction_id == bindparam("id"))
    .values(
        answer=bindparam("a"),
        margin=bindparam("m"),
        flaws=bindparam("f"),
        reasoning_hash=bindparam("h"),
        scores=bindparam("s"),
    )
)


def write_parsed(connection: Connection, changed: Iterable[Written]) -> None:
    """Write verdicts back; what was ruled and decided about them stays.

    The index of dimension scores is emptied, because it holds what they were; it fills again as any
    index beside the truth does.
    """
    changed = list(changed)
    rows = [
        {
            "id": item.prediction_id,
            "a": item.answer,
            "m": item.margin,
            "f": item.flaws,
            "h": item.reasoning_hash,
            "s": item.scores,
        }
        for item in changed
    ]
    if rows:
        lock_verdicts(connection, [item.prediction_id for item in changed])
        connection.execute(_WRITE, rows)
        empty(connection, RECIPE)
