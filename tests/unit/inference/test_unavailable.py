"""A run whose database is busy, away, or does not say whether it has stored what it was given."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from backend.domain.filtering import Policy
from backend.domain.pairs import OrderPolicy
from backend.engines.base import Completion, Failure, Outcome, Request
from backend.errors import StoreUnavailable
from backend.inference import pipeline
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.store import database as store
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.outage import Patience
from backend.store.runs import Runs
from backend.store.schema import failures, predictions, verdicts
from backend.store.upgrade import upgrade
from tests.workspaces import write_image_pairs

PAIRS, SAMPLES = 4, 8
TOTAL = PAIRS * 2 * SAMPLES


class Answers:
    """Answers every request but each fourth, which fails; counts what it was given."""

    def __init__(self) -> None:
        self.given = 0

    def generate(self, requests: Iterator[Request]) -> Iterator[Outcome]:
        for request in requests:
            self.given += 1
            if request.id % 4 == 3:
                yield Failure(id=request.id, error="no\0 answer")
            else:
                text = "<think>x</think><answer>Image 1 is better</answer>"
                yield Completion(id=request.id, text=text, finish_reason="stop")

    def close(self) -> None: ...


class Faulty(Database):
    """Commits, and then answers that it does not know whether it did; or is away altogether."""

    lost_answers = 0
    away = False

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        if self.away:
            raise StoreUnavailable("away")
        with super().write(durable=durable) as connection:
            yield connection
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("server closed the connection unexpectedly")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media") / "pairs"
    write_image_pairs(folder, PAIRS)
    return folder / "pairs.json"


@pytest.fixture
def db(tmp_path: Path, pairs: Path) -> Iterator[Faulty]:
    database = Faulty(tmp_path / "w.db")
    upgrade(database)
    import_dataset(database, name="d", spec=f"hpdv3:{pairs}", data_root=None)
    yield database
    database.close()


def prepared(db: Database, stop: threading.Event | None = None, seconds: float = 30) -> Pipeline:
    dataset = Datasets(db).get("d")
    spec = RunSpec(
        model="m",
        engine="scripted",
        order=OrderPolicy.BOTH,
        samples=SAMPLES,
        instruction=instructions(None, use_cot=True),
    )
    with db.write() as connection:
        run_id = Runs(db).add(
            connection,
            dataset_id=dataset.id,
            model="m",
            engine="scripted",
            spec=spec.model_dump(mode="json"),
            policy={},
            total=TOTAL,
            job_id=None,
        )
    stop = stop or threading.Event()
    return Pipeline(
        db,
        run_id=run_id,
        dataset_id=dataset.id,
        data_root=Path(dataset.data_root),
        spec=spec,
        policy=Policy(),
        total=TOTAL,
        stop=stop,
        patience=Patience(seconds, stop=stop),
    )


def stored(db: Database) -> tuple[list[Any], list[Any], list[Any]]:
    c = predictions.c
    with db.read() as connection:
        made = connection.execute(select(c.pair_id, c.shown_order, c.sample)).all()
        reasons = connection.execute(select(verdicts.c.reason)).scalars().all()
        tries = connection.execute(select(failures.c.attempts)).scalars().all()
    return list(made), list(reasons), list(tries)


def all_once(db: Database) -> None:
    made, reasons, tries = stored(db)
    assert len(made) == len(set(made)) == TOTAL * 3 // 4
    assert len(reasons) == len(made)
    assert "undecided" not in reasons
    assert tries == [1] * (TOTAL // 4)


def test_commits_whose_answer_was_lost_store_each_outcome_once(db: Faulty) -> None:
    run = prepared(db)
    db.lost_answers = 3
    run.run(Answers())
    assert db.lost_answers == 0
    all_once(db)


def test_a_run_waits_for_a_writer_that_holds_the_file_for_long(
    db: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(db)
    monkeypatch.setattr(store, "BUSY_TIMEOUT_MS", 50)
    db.engine.dispose()
    other = sqlite3.connect(tmp_path / "w.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    letting_go = threading.Timer(0.8, lambda: other.execute("ROLLBACK"))
    letting_go.start()
    run.run(Answers())
    letting_go.join()
    other.close()
    all_once(db)


def test_while_the_database_is_away_the_engine_is_given_nothing_new(
    db: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_ROWS", 4)
    monkeypatch.setattr(pipeline, "MOST_WAITING", 8)
    run, engine = prepared(db), Answers()
    db.away = True
    working = threading.Thread(target=run.run, args=(engine,))
    working.start()
    deadline = time.monotonic() + 30
    while engine.given <= 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    given = engine.given
    db.away = False
    working.join(60)
    assert 8 < given <= 8 + 4 + 2 * 2 * SAMPLES < TOTAL
    assert engine.given == TOTAL
    all_once(db)


def test_a_run_that_is_stopped_while_the_database_is_away_does_not_wait_it_out(
    db: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.store.outage.STOPPED_S", 0.2)
    stop = threading.Event()
    run = prepared(db, stop, seconds=10_000)
    db.away = True
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(StoreUnavailable, match="given up after"):
        run.run(Answers())
