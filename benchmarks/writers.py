"""Predictions written by several processes at once: rows a second, and whether each is there once.

    python -m benchmarks.writers --processes 8 --seconds 10 --rounds 3

Each process stores the predictions of a run of its own as a run's committer does, verdicts and decisions
included, as fast as it can. In the last row of each database one of them is killed (SIGKILL) in the
middle, and another process takes its run up where the store says that it is.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import signal
import time
from multiprocessing.synchronize import Event
from typing import Any

from sqlalchemy import func, select

from backend.store.database import Database
from backend.store.outage import Patience
from backend.store.predictions import Predictions
from backend.store.schema import predictions, verdicts
from benchmarks.databases import add_pairs, databases
from benchmarks.rulings_import import prediction, store

BATCH = 256
PAIRS = 40_000


def write(url: str, run: int, stop: Event, acknowledged: Any, errors: Any) -> None:
    """Store batches until told to stop; notes how many pairs are acknowledged, and errors met."""
    database = Database(url)
    rows, patience = Predictions(database), Patience()
    last = 0
    # Where a commit was cut off, all of its batch is there or none.
    while rows.known(run, range(last + 1, last + BATCH + 1)):
        last += BATCH
    while not stop.is_set() and last + BATCH <= PAIRS:
        new = [prediction(pair) for pair in range(last + 1, last + BATCH + 1)]
        try:
            patience.call(lambda new=new: store(database, run, new))  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - counted, whatever it is
            errors[run] += 1
            print(f"run {run}: {type(error).__name__}: {error}")
            continue
        last += BATCH
        acknowledged[run] = last


def measure(name: str, url: str, processes: int, seconds: float, *, kill: bool) -> None:
    stop = mp.Event()
    # Without locks, which a killed process would keep.
    acknowledged, errors = mp.RawArray("q", processes + 1), mp.RawArray("q", processes + 1)

    def begin(run: int) -> mp.Process:
        one = mp.Process(target=write, args=(url, run, stop, acknowledged, errors))
        one.start()
        return one

    begun = time.monotonic()
    writers = {run: begin(run) for run in range(1, processes + 1)}
    time.sleep(seconds / 2)
    if kill:
        os.kill(writers[1].pid or 0, signal.SIGKILL)
        writers[1].join()
        writers[1] = begin(1)
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    stop.set()
    for one in writers.values():
        one.join()
    took = time.monotonic() - begun
    database = Database(url)
    rows, distinct, judged, by_run = counted(database)
    database.close()
    lost = sum(max(0, acknowledged[run] - by_run.get(run, 0)) for run in writers)
    what = f"{name}, {processes} processes" + (", one killed" if kill else "")
    print(
        f"| {what} | {rows:,} | {took:.1f} | {rows / took:,.0f} | {sum(errors)} | {lost} | "
        f"{rows - distinct + abs(rows - judged)} |",
        flush=True,
    )


def counted(database: Database) -> tuple[int, int, int, dict[int, int]]:
    """Predictions, different ones, verdicts on them, and predictions by run."""
    c = predictions.c
    keys = select(c.run_id, c.pair_id, c.shown_order, c.sample).distinct().subquery()
    with database.read() as connection:
        rows = connection.execute(select(func.count()).select_from(predictions)).scalar_one()
        distinct = connection.execute(select(func.count()).select_from(keys)).scalar_one()
        judged = connection.execute(select(func.count()).select_from(verdicts)).scalar_one()
        runs = connection.execute(select(c.run_id, func.count()).group_by(c.run_id)).all()
    return rows, distinct, judged, {int(run): int(count) for run, count in runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    given = parser.parse_args()
    print("| what | rows | seconds | rows/s | errors | lost | doubled |\n|---|---|---|---|---|---|---|")
    for name in given.databases:
        for number in range(given.rounds):
            with databases([name]) as urls:
                for url in urls.values():
                    database = Database(url)
                    add_pairs(database, PAIRS, given.processes)
                    database.close()
                    kill = number == given.rounds - 1
                    measure(name, url, given.processes, given.seconds, kill=kill)


if __name__ == "__main__":
    main()
