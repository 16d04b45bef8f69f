"""A run whose media are broken, special or large goes on; what it decodes at a time is bounded."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from backend.domain.filtering import Policy
from backend.domain.pairs import OrderPolicy
from backend.engines.base import Completion, EngineOptions, Outcome, Request
from backend.engines.openai import chat_body
from backend.engines.streaming import AsyncEngine
from backend.engines.transformers import TransformersEngine
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.media.budget import DECODING
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.runs import Runs
from backend.store.schema import failures
from backend.store.upgrade import upgrade

pytestmark = pytest.mark.timeout(120)
TEXT = "<think>x</think><answer>Image 1 is better</answer>"
PAIR = 2 * 4 * 252 * 252
"""Bytes of two decoded media."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "w.db")
    upgrade(database)
    before = DECODING.limit
    assert DECODING.used == 0
    yield database
    assert DECODING.used == 0, "everything was given back"
    DECODING.limit = before
    database.close()


def prepared(db: Database, folder: Path, names: list[str], **options: object) -> Pipeline:
    Image.new("RGB", (252, 252), "blue").save(folder / "other.png")
    rows = [
        {"prompt": f"p {n}", "first": name, "second": "other.png", "preference": "first"}
        for n, name in enumerate(names)
    ]
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = import_dataset(db, name="d", spec=f"pairs:{folder / 'd.jsonl'}", check_media=False)
    spec = RunSpec(
        model="m",
        engine="scripted",
        order=OrderPolicy.BOTH,
        instruction=instructions(None, use_cot=True),
        options=EngineOptions(**options),  # type: ignore[arg-type]
    )
    with db.write() as connection:
        run_id = Runs(db).add(
            connection,
            dataset_id=dataset.id,
            model="m",
            engine="scripted",
            spec=spec.model_dump(mode="json"),
            policy={},
            total=2 * len(names),
            job_id=None,
        )
    return Pipeline(
        db,
        run_id=run_id,
        dataset_id=dataset.id,
        data_root=Path(Datasets(db).get("d").data_root),
        spec=spec,
        policy=Policy(),
        total=2 * len(names),
    )


class Collecting:
    """Takes ``batch`` requests, makes something of their media, and answers them."""

    def __init__(self, batch: int, way: str) -> None:
        self._batch, self._way = batch, way
        self.most = 0

    def pulse(self) -> int | None:
        return None

    def generate(self, requests: Iterator[Request]) -> Iterator[Outcome]:
        batch: list[Request] = []
        for request in requests:
            assert [image.size for image in request.media.values()] == [(252, 252)] * 2  # type: ignore[union-attr]
            if self._way == "sent":
                assert chat_body("m", request, EngineOptions())
            batch.append(request.taken() if self._way == "taken" else request)
            self.most = max(self.most, DECODING.used)
            if len(batch) == self._batch:
                yield from self._answered(batch)
                batch = []
        yield from self._answered(batch)

    def _answered(self, batch: list[Request]) -> Iterator[Outcome]:
        for request in batch:
            if self._way == "taken":
                assert len(request.media) == 2
            yield Completion(id=request.id, text=TEXT, finish_reason="stop")

    def close(self) -> None:
        pass


def test_broken_and_special_media_fail_their_own_requests(db: Database, tmp_path: Path) -> None:
    Image.effect_noise((252, 252), 60).convert("RGB").save(tmp_path / "good.png")
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "folder.png").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "cut.avif")
    (tmp_path / "cut.avif").write_bytes((tmp_path / "cut.avif").read_bytes()[:-20])
    run = prepared(db, tmp_path, ["fifo.png", "good.png", "folder.png", "cut.avif", "good.png"])
    run.run(Collecting(1, "sent"))
    with db.read() as connection:
        said = connection.execute(select(failures.c.error)).scalars().all()
    assert len(said) == 6
    assert Runs(db).counts(1)["done"] == 4
    assert all("\n" not in line for line in said)
    assert sum("not a regular file" in line for line in said) == 4


def test_an_engine_that_collects_more_than_the_budget_holds_is_given_all_of_it(db: Database, tmp_path: Path) -> None:
    Image.new("RGB", (252, 252), "red").save(tmp_path / "good.png")
    run = prepared(db, tmp_path, ["good.png"] * 32, batch_size=64)
    DECODING.limit = 3 * PAIR
    engine = Collecting(64, "taken")
    run.run(engine)
    assert Runs(db).counts(1)["done"] == 64
    assert engine.most <= DECODING.limit


class Sending(AsyncEngine):
    """Like the one for servers: a body is made of the media, and kept until the answer is there."""

    most = 0

    async def answer(self, request: Request) -> Outcome:
        body = await asyncio.to_thread(chat_body, "m", request, self.options)
        with pytest.raises(RuntimeError):
            request.media["first"]
        self.most = max(self.most, DECODING.used)
        await asyncio.sleep(0.02)
        assert body
        return Completion(id=request.id, text=TEXT, finish_reason="stop")


def test_requests_in_flight_hold_what_is_sent_and_not_what_was_decoded(db: Database, tmp_path: Path) -> None:
    Image.new("RGB", (252, 252), "red").save(tmp_path / "good.png")
    run = prepared(db, tmp_path, ["good.png"] * 32, batch_size=256)
    DECODING.limit = 3 * PAIR
    engine = Sending(EngineOptions(batch_size=256))
    run.run(engine)
    engine.close()
    assert Runs(db).counts(1)["done"] == 64
    assert 0 < engine.most < DECODING.limit + 64 * 20_000


def test_a_run_that_is_stopped_while_media_wait_for_memory_ends(db: Database, tmp_path: Path) -> None:
    Image.new("RGB", (252, 252), "red").save(tmp_path / "good.png")
    run = prepared(db, tmp_path, ["good.png"] * 40, batch_size=64)
    DECODING.limit = 2 * PAIR
    engine = Collecting(1, "sent")
    answered = iter(range(10))
    original = engine.generate

    def stopping(requests: Iterator[Request]) -> Iterator[Outcome]:
        for outcome in original(requests):
            if next(answered, None) is None:
                run._stop.set()
            yield outcome

    engine.generate = stopping  # type: ignore[method-assign]
    run.run(engine)
    assert 10 <= Runs(db).counts(1)["done"] < 80
    for thread in threading.enumerate():
        if thread.name.startswith("decode"):
            thread.join(10)


def test_the_transformers_engine_takes_what_it_collects(db: Database, tmp_path: Path) -> None:
    Image.new("RGB", (252, 252), "red").save(tmp_path / "good.png")
    run = prepared(db, tmp_path, ["good.png"] * 8, batch_size=16)
    DECODING.limit = PAIR
    engine = TransformersEngine.__new__(TransformersEngine)
    engine._options = EngineOptions(batch_size=16)
    engine._answer = lambda batch: Collecting(1, "taken")._answered(batch)  # type: ignore[method-assign]
    run.run(engine)
    assert Runs(db).counts(1)["done"] == 16
