"""A database that goes away and comes back: nothing ends for it, nothing is lost or stored twice."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from backend.domain.jobs import OPEN, JobStatus
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.inference.launch import RunRequest
from backend.store.schema import predictions
from backend.training.spec import SetRef, TrainingSpec
from backend.workspace import Workspace, open_workspace, settings_for
from tests.integration.test_invariant import judgment
from tests.postgres import Server

SAMPLES = 8


class Place:
    """A workspace on PostgreSQL with a dataset of twelve pairs, and runs that take two seconds."""

    def __init__(self, folder: Path, pairs: Path) -> None:
        self.space: Workspace = open_workspace(settings_for(folder / "ws"))
        self.space.add_dataset(name="d", spec=f"hpdv3:{pairs}", check_media=False)
        self.script = folder / "script.jsonl"
        self.script.write_text("".join(json.dumps({"text": judgment(n)}) + "\n" for n in (1, 2)))
        self.total = 12 * 2 * SAMPLES

    def start(self, seconds: float = 2.0) -> int:
        batch = 4
        run_id, _ = self.space.launcher.start(
            RunRequest(
                dataset="d",
                model="m",
                engine="scripted",
                options=EngineOptions(
                    scripted_file=str(self.script), scripted_latency=seconds * batch / self.total, batch_size=batch
                ),
                order=OrderPolicy.BOTH,
                samples=SAMPLES,
            )
        )
        self.space.supervise()
        self.until(lambda: self.stored(run_id) > 0)
        return run_id

    def stored(self, run_id: int) -> int:
        return self.space.runs.prediction_count(run_id)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def status(self, run_id: int) -> str:
        return self.space.runs.get(run_id).status

    def ended(self, run_id: int) -> str:
        self.until(lambda: self.status(run_id) not in OPEN)
        return self.status(run_id)

    def log(self) -> str:
        logs = [*(self.space.folder / "logs").glob("*.log"), self.space.folder / "supervisor.log"]
        return "\n".join(path.read_text() for path in logs if path.exists())

    def each_once(self, run_id: int) -> bool:
        c = predictions.c
        with self.space.database.read() as connection:
            keys = connection.execute(select(c.pair_id, c.shown_order, c.sample).where(c.run_id == run_id)).all()
        return len(keys) == len(set(keys)) == self.total


@pytest.fixture
def environment(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("WINNOW_DATABASE_URL", postgres.new())
    monkeypatch.setenv("WINNOW_HEARTBEAT_SECONDS", "0.2")
    monkeypatch.setenv("WINNOW_STALE_SECONDS", "1")
    return monkeypatch


@pytest.fixture
def place(environment: pytest.MonkeyPatch, tmp_path: Path, visible_winners: Path) -> Iterator[Place]:
    made = Place(tmp_path, visible_winners)
    yield made
    (made.space.folder / "supervisor.lock").unlink(missing_ok=True)
    made.space.close()


def test_a_run_outlives_a_server_that_is_stopped_and_one_that_crashes(place: Place, postgres: Server) -> None:
    run_id = place.start(2.5)
    before = place.space.jobs.list()[0]
    postgres.away(1.0, signal.SIGINT)
    place.until(lambda: "the database is back" in place.log())
    postgres.away(1.0, signal.SIGQUIT)
    assert place.ended(run_id) == JobStatus.FINISHED, place.log()
    assert place.each_once(run_id)
    job = place.space.jobs.list()[0]
    assert (job.pid, job.attempt) == (before.pid, 1)
    assert "Traceback" not in place.log()


def test_an_outage_that_lasts_too_long_interrupts_the_run_which_can_be_resumed(
    environment: pytest.MonkeyPatch, place: Place, postgres: Server
) -> None:
    environment.setenv("WINNOW_OUTAGE_SECONDS", "0.5")
    run_id = place.start()
    postgres.stop()
    try:
        place.until(lambda: "given up after" in place.log())
    finally:
        postgres.start()
    place.space.supervise()
    assert place.ended(run_id) == JobStatus.INTERRUPTED, place.log()
    row = place.space.runs.get(run_id)
    assert "given up after" in str(row.error)
    assert "resume" in str(row.hint)
    place.space.launcher.resume(run_id)
    place.space.supervise()
    assert place.ended(run_id) == JobStatus.FINISHED
    assert place.each_once(run_id)


def test_a_training_outlives_a_server_that_is_restarted(place: Place, postgres: Server) -> None:
    space = place.space
    place.ended(place.start(0.1))
    frozen = space.freeze("s", [1])
    judge = space.folder / "judge"
    judge.mkdir()
    (judge / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    (judge / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    sleeps = "import sys, time; time.sleep(2.0); open(sys.argv[1] + '/done', 'w').close()"
    training = space.training_launcher.start(
        TrainingSpec(
            trainer="command",
            model=str(judge),
            output_dir=str(space.folder / "out"),
            sets=(
                SetRef(id=frozen.id, name=frozen.name, version=frozen.version, content_hash=str(frozen.content_hash)),
            ),
            command=(sys.executable, "-c", sleeps, "{output}"),
            device="cpu",
        )
    )
    space.supervise()
    place.until(lambda: space.trainings.get(training).status == JobStatus.RUNNING)
    postgres.away(1.0)
    place.until(lambda: space.trainings.get(training).status not in OPEN)
    row = space.trainings.get(training)
    assert row.status == JobStatus.FINISHED, place.log()
    assert (space.folder / "out" / "model" / "done").exists()
    assert "Traceback" not in place.log()


def test_stop_works_after_an_outage(place: Place, postgres: Server) -> None:
    run_id = place.start(60.0)
    postgres.away(0.3)
    place.space.launcher.cancel(run_id)
    assert place.ended(run_id) == JobStatus.CANCELLED
