"""Why a recorded preference is suspect: the answers about a pair, run by run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from backend.store.database import Database
from backend.store.picks import against_label
from backend.store.schema import runs, verdicts


@dataclass(frozen=True, slots=True)
class Vote:
    """One readable answer about a pair.

    Attributes:
        against: It names the side that the recorded preference does not.
        margin: By how much the total of the answered side leads; ``None`` without scores.
    """

    prediction_id: int
    run_id: int
    model: str
    order: str
    against: bool
    margin: float | None


def votes(database: Database, pair_ids: Collection[int], run_ids: Sequence[int]) -> dict[int, list[Vote]]:
    """The readable answers about each of these pairs, by run. No run ids mean all runs.

    They are those that :meth:`backend.store.picks.Picks.suspect_labels` counts.
    """
    query = (
        select(
            verdicts.c.pair_id,
            verdicts.c.prediction_id,
            verdicts.c.run_id,
            runs.c.model,
            verdicts.c.shown_order,
            against_label(),
            verdicts.c.margin,
        )
        .join(runs, runs.c.id == verdicts.c.run_id)
        .where(
            # Every run by its id: the index is over run and pair.
            verdicts.c.run_id.in_(run_ids or select(runs.c.id)),
            verdicts.c.pair_id.in_(pair_ids),
            verdicts.c.answer.is_not(None),
        )
        .order_by(verdicts.c.run_id, verdicts.c.shown_order, verdicts.c.sample)
    )
    found: dict[int, list[Vote]] = defaultdict(list)
    with database.read() as connection:
        for pair_id, prediction, run, model, order, against, margin in connection.execute(query):
            found[pair_id].append(Vote(prediction, run, model, order, bool(against), margin))
    return found
