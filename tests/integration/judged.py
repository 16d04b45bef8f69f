"""A small database of judged pairs, and what is read off it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select

from backend.store.database import Database
from backend.store.schema import datasets, pairs, predictions, runs, verdicts
from tests.postgres import count_on


def judge_four(database: Database) -> None:
    """Predictions 1-4 of run 1; the human prefers ``first`` in dataset order.

    1: dataset, says first (accepted). 2: swapped, says first (rejected). 3: dataset, says second
    (rejected). 4: dataset, unreadable (rejected).
    """
    fill(database, [("dataset", "first"), ("swapped", "first"), ("dataset", "second"), ("dataset", None)])


def fill(database: Database, said: Sequence[tuple[str, str | None]]) -> None:
    """Run 1 with a prediction for each order and answer, on pairs of their own."""
    with database.write() as connection:
        connection.execute(
            insert(datasets).values(
                id=1, name="d", source="pairs", spec="", data_root="/data", status="ready", created_at=0.0, counts={}
            )
        )
        connection.execute(
            insert(runs).values(
                id=1,
                dataset_id=1,
                model="m",
                engine="scripted",
                spec={},
                policy={},
                total=len(said),
                progress={},
                created_at=0.0,
            )
        )
        for number, (order, answer) in enumerate(said, start=1):
            preferred = "second" if order == "swapped" else "first"
            decision = "accepted" if answer == preferred else "rejected"
            connection.execute(
                insert(pairs).values(
                    id=number,
                    dataset_id=1,
                    idx=number - 1,
                    key=f"k{number}",
                    kind="image",
                    prompt="p",
                    first_path="good.png",
                    second_path="bad.png",
                    preference="first",
                    media_ok=True,
                    extra={},
                )
            )
            where = {"run_id": 1, "pair_id": number, "shown_order": order, "sample": 0}
            connection.execute(insert(predictions).values(id=number, text="t", created_at=0.0, **where))
            connection.execute(
                insert(verdicts).values(
                    prediction_id=number,
                    preferred=preferred,
                    answer=answer,
                    flaws=0,
                    scores={},
                    decision=decision,
                    reason="r",
                    effective=decision,
                    **where,
                )
            )
    count_on(database)


def state(db: Database, prediction_id: int) -> tuple[str | None, str]:
    with db.read() as connection:
        row = connection.execute(
            select(verdicts.c.ruling, verdicts.c.effective).where(verdicts.c.prediction_id == prediction_id)
        ).one()
    return row.ruling, row.effective
