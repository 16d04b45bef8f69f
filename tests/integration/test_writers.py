"""Predictions that several processes store at once, into one run, while one of them is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

from sqlalchemy import func, select

from backend.store.database import Database
from backend.store.outage import Patience
from backend.store.predictions import Predictions
from backend.store.schema import predictions, verdicts
from benchmarks.databases import add_pairs
from benchmarks.rulings_import import prediction, store

PAIRS, BATCH = 600, 20


def write(url: str, forwards: bool) -> None:
    """Store all of run 1 in small batches, from one end or from the other."""
    database = Database(url)
    starts = range(1, PAIRS + 1, BATCH)
    for start in starts if forwards else reversed(starts):
        new = [prediction(pair) for pair in range(start, start + BATCH)]
        Patience(60).call(
            lambda new=new: store(database, 1, new if forwards else new[::-1])  # type: ignore[misc]
        )
    database.close()


def test_processes_that_store_the_same_at_once_store_each_prediction_once_though_one_is_killed(
    database: Database,
) -> None:
    add_pairs(database, PAIRS, 1)
    url = database.url.render_as_string(hide_password=False)
    forked = multiprocessing.get_context("fork")
    database.engine.dispose()
    writers = [forked.Process(target=write, args=(url, n % 2 == 0)) for n in range(3)]
    for one in writers:
        one.start()
    deadline = time.monotonic() + 60
    while not Predictions(database).known(1, [BATCH]) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(writers[0].pid or 0, signal.SIGKILL)
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [-signal.SIGKILL, 0, 0]
    c = predictions.c
    with database.read() as connection:
        made = connection.execute(select(func.count(), func.count(c.pair_id.distinct()))).one()
        judged = connection.execute(
            select(func.count()).select_from(verdicts.join(predictions, c.id == verdicts.c.prediction_id))
        ).scalar_one()
        undecided = select(func.count()).where(verdicts.c.reason == "undecided")
        assert (*made, judged) == (PAIRS, PAIRS, PAIRS)
        assert connection.execute(undecided).scalar_one() == 0
