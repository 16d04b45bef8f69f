"""Rulings imported while people review and a run writes: how long it takes, and how long they wait.

    python -m benchmarks.rulings_import --rulings 20000 --rounds 3

By turns: reviewers alone, then reviewers beside an import. Each reviewer is a process that records a
durable ruling about twice a second; a run's committer stores a batch four times a second. Afterwards
every ruling must be there once.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import random
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from statistics import quantiles
from typing import Any

from sqlalchemy import func, select

from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.domain.filtering import Policy
from backend.domain.pairs import Order
from backend.inference.deciding import decide_pairs
from backend.store.database import Database
from backend.store.outage import Patience
from backend.store.predictions import NewPrediction, Predictions
from backend.store.schema import reviews
from benchmarks.databases import add_pairs, databases

REVIEWERS = 4
ALONE_S = 8.0
RUN_ROWS, RUN_S = 64, 0.25
TEXT = "<think>" + "Image 1 shows what was asked for; Image 2 does not. " * 20 + "</think>"


def prediction(pair: int, sample: int = 0) -> NewPrediction:
    return NewPrediction(
        pair_id=pair,
        shown_order=Order.DATASET,
        sample=sample,
        text=TEXT,
        finish_reason="stop",
        prompt_tokens=900,
        completion_tokens=240,
        preferred="first",
        answer="first",
        margin=3.0,
        flaws=0,
        reasoning_hash=pair,
        scores={"dimensions": [], "totals": [8, 5]},
        kind="image",
    )


def store(database: Database, run: int, new: list[NewPrediction]) -> None:
    """As a run's committer does."""
    rows = Predictions(database)
    with database.write() as connection:
        stored = rows.add(connection, run, new)
        decide_pairs(connection, run, Policy(), {pair for pair, _, _ in stored})


def review(url: str, name: str, count: int, stop: Event, out: Any) -> None:
    """Record rulings one by one on random predictions; puts the seconds of each."""
    database = Database(url)
    rulings, rng = Rulings(database), random.Random(name)
    waits: list[float] = []
    while not stop.is_set():
        begun = time.monotonic()
        rulings.add(rng.randint(1, count), "reject", reviewer=name)
        waits.append(time.monotonic() - begun)
        stop.wait(rng.uniform(0.2, 0.8))
    out.put(waits)


def judge(url: str, pairs: int, stop: Event, out: Any) -> None:
    """Store predictions at a steady rate."""
    database = Database(url)
    waits: list[float] = []
    sample = int(time.time() * 100) % 2_000_000_000
    while not stop.is_set():
        sample += 1
        begun = time.monotonic()
        new = [prediction(random.randint(1, pairs), sample) for _ in range(RUN_ROWS)]
        Patience().call(lambda new=new: store(database, 2, new))  # type: ignore[misc]
        waits.append(time.monotonic() - begun)
        stop.wait(RUN_S)
    out.put(waits)


class Beside:
    """Reviewers and a run that go on while a block runs."""

    def __init__(self, url: str, count: int) -> None:
        self.stop, self.out, self.run_out = mp.Event(), mp.Queue(), mp.Queue()
        self.all = [
            mp.Process(target=review, args=(url, f"r{n}", count, self.stop, self.out)) for n in range(REVIEWERS)
        ]
        self.all.append(mp.Process(target=judge, args=(url, count, self.stop, self.run_out)))

    def __enter__(self) -> Beside:
        for one in self.all:
            one.start()
        time.sleep(2)  # until all of them are at it
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.waits = [wait for _ in range(REVIEWERS) for wait in self.out.get()]
        self.batches = self.run_out.get()
        for one in self.all:
            one.join()


def row(what: str, seconds: float, beside: Beside, stored: str = "") -> None:
    waits = sorted(beside.waits)
    p95 = quantiles(waits, n=20)[-1]
    print(
        f"| {what} | {seconds:.1f} | {len(waits)} | {waits[len(waits) // 2] * 1e3:.0f} | "
        f"{p95 * 1e3:.0f} | {waits[-1] * 1e3:.0f} | {max(beside.batches) * 1e3:.0f} | {stored} |"
    )


def lines(count: int, turn: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "key": f"k{number + 1}",
            "order": "dataset",
            "ruling": "reject",
            "reviewer": "import",
            "note": f"from elsewhere, turn {turn}",
        }


def measure(name: str, url: str, count: int, rounds: int) -> None:
    database = Database(url)
    add_pairs(database, count, 2)
    for start in range(1, count + 1, 2_000):
        store(database, 1, [prediction(n) for n in range(start, min(start + 2_000, count + 1))])
    for turn in range(1, rounds + 1):
        with Beside(url, count) as beside:
            time.sleep(ALONE_S)
        row(f"{name}: reviewers alone", ALONE_S, beside)
        with Beside(url, count) as beside:
            begun = time.monotonic()
            new = RulingRows(database).import_rows(1, lines(count, turn), patience=Patience())
            seconds = time.monotonic() - begun
        note = f"from elsewhere, turn {turn}"
        with database.read() as connection:
            query = select(func.count(), func.count(reviews.c.prediction_id.distinct()))
            stored = connection.execute(query.where(reviews.c.note == note)).one()
        assert (new, *stored) == (count, count, count)
        row(f"{name}: beside an import of {count:,}", seconds, beside, "each once")
    database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rulings", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    given = parser.parse_args()
    print(
        "| what | seconds | rulings by reviewers | p50, ms | p95, ms | longest, ms | longest batch of "
        "the run, ms | stored |\n|---|---|---|---|---|---|---|---|"
    )
    with databases(given.databases) as urls:
        for name, url in urls.items():
            measure(name, url, given.rulings, given.rounds)


if __name__ == "__main__":
    main()
