"""A database of judged pairs, written row by row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import insert

from backend.curation.queues import NewQueue, Queues
from backend.store.database import Database
from backend.store.queues import QueueRow
from backend.store.schema import datasets, pairs, predictions, runs, verdicts

Judge = Callable[..., int]


@pytest.fixture
def db(database: Database) -> Database:
    """Dataset 1 with runs 1 and 2, no pairs yet."""
    with database.write() as connection:
        connection.execute(
            insert(datasets).values(
                id=1, name="d", source="pairs", spec="", data_root="/data", status="ready", created_at=0.0, counts={}
            )
        )
        for number in (1, 2):
            connection.execute(
                insert(runs).values(
                    id=number,
                    dataset_id=1,
                    model=f"m{number}",
                    engine="scripted",
                    spec={},
                    policy={},
                    total=0,
                    progress={},
                    created_at=0.0,
                )
            )
    return database


@pytest.fixture
def judge(db: Database) -> Judge:
    """Adds one prediction on pair ``pair`` (made when new; the human prefers ``first``) and gives
    its id back. ``answer`` is in the shown order."""
    known: set[int] = set()

    def add(
        pair: int,
        *,
        run: int = 1,
        order: str = "dataset",
        sample: int = 0,
        answer: str | None = "first",
        margin: float | None = 2.0,
        flaws: int = 0,
        text: str = "t",
        label: str = "first",
    ) -> int:
        swap = {"first": "second", "second": "first", "tie": "tie"}
        preferred = swap[label] if order == "swapped" else label
        decision = "accepted" if answer == preferred else "rejected"
        reason = "agrees" if decision == "accepted" else "disagrees" if answer else "unreadable"
        where = {"run_id": run, "pair_id": pair, "shown_order": order, "sample": sample}
        with db.write() as connection:
            if pair not in known:
                known.add(pair)
                connection.execute(
                    insert(pairs).values(
                        id=pair,
                        dataset_id=1,
                        idx=pair,
                        key=f"k{pair}",
                        kind="image",
                        prompt=f"caption {pair}",
                        first_path=f"{pair}a.png",
                        second_path=f"{pair}b.png",
                        preference=label,
                        media_ok=True,
                        extra={},
                    )
                )
            key = connection.execute(
                insert(predictions).values(text=text, created_at=0.0, **where)
            ).inserted_primary_key
            assert key is not None
            connection.execute(
                insert(verdicts).values(
                    prediction_id=key[0],
                    **where,
                    preferred=preferred,
                    answer=answer,
                    margin=margin,
                    flaws=flaws,
                    scores={},
                    decision=decision,
                    reason=reason,
                    effective=decision,
                )
            )
        return int(key[0])

    return add


@pytest.fixture
def forty(db: Database, judge: Judge) -> tuple[Queues, QueueRow]:
    for pair in range(40):
        judge(pair)
    queues = Queues(db)
    return queues, queues.make(NewQueue(kind="unreviewed", title="all"), created_by="ann")
