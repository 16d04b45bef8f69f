"""An engine that hangs is noticed, said and ended; one that is slow and gives signs of life is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.domain.filtering import Policy
from backend.engines.base import Completion, EngineOptions, Outcome, Pulse, Request
from backend.errors import EngineHung
from backend.inference import watch as watching
from backend.inference.launch import RunRequest
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec
from backend.inference.watch import EngineWatch
from backend.store.runs import NOTICE
from backend.workspace import Workspace
from tests.workspaces import build_workspace

PAIRS = 6


class Hangs:
    """Answers ``before`` requests, then does nothing until ``release``, in its own way."""

    def __init__(self, before: int, *, beats: bool = False) -> None:
        self.pulse, self.release = Pulse(), threading.Event()
        self._before, self._beats = before, beats

    def generate(self, requests: Iterator[Request]) -> Iterator[Outcome]:
        for number, request in enumerate(requests):
            while number >= self._before and not self.release.wait(0.05):
                if self._beats:
                    self.pulse.beat()
            yield Completion(id=request.id, text="<answer>Image 1 is better</answer>")

    def close(self) -> None: ...


class Watched:
    """A run of the pairs, its watch, and what it said."""

    def __init__(self, space: Workspace, silence_s: float = 0.6) -> None:
        options = EngineOptions(scripted_file=str(space.folder / "predictions-a.jsonl"))
        self.space = space
        self.run_id, _ = space.launcher.start(
            RunRequest(dataset="pictures", model="x", engine="scripted", options=options)
        )
        self.stop, self.hung = threading.Event(), threading.Event()
        self.said: list[str | None] = []
        self.once_said: Callable[[], object] = lambda: None
        self.errors: list[EngineHung] = []
        self.watch = EngineWatch(silence_s=silence_s, load_s=0.3, stop=self.stop, said=self._say, hung=self._end)
        self.pipeline = self.made()

    def made(self) -> Pipeline:
        run = self.space.runs.get(self.run_id)
        return Pipeline(
            self.space.database,
            run_id=run.id,
            dataset_id=run.dataset_id,
            data_root=Path(self.space.datasets.by_id(run.dataset_id).data_root),
            spec=RunSpec.model_validate(run.spec),
            policy=Policy(),
            total=run.total,
            stop=self.stop,
            watch=self.watch,
        )

    def count(self) -> int:
        return self.space.runs.prediction_count(self.run_id)

    def notice(self) -> object:
        return self.space.runs.get(self.run_id).progress.get(NOTICE)

    def _say(self, notice: str | None) -> None:
        self.said.append(notice)
        self.space.runs.say(self.run_id, notice)
        self.once_said()

    def _end(self, error: EngineHung) -> None:
        self.errors.append(error)
        self.pipeline.give_up(error)
        self.hung.set()


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    built = build_workspace(tmp_path / "ws", images=PAIRS)
    yield built
    built.close()


def test_a_hung_engine_is_said_then_ended_and_what_it_answered_is_stored_and_the_rest_resumes(space: Workspace) -> None:
    watched, engine = Watched(space), Hangs(3)
    caught: list[BaseException] = []

    def work() -> None:
        try:
            watched.pipeline.run(engine)
        except EngineHung as error:
            caught.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert watched.hung.wait(30)
    # While the engine is still where nobody gets it out.
    assert thread.is_alive() and watched.count() == 3
    (said,) = watched.said
    assert said and "no token and no answer" in said and "the run ends" in said
    assert watched.notice() == said
    (error,) = watched.errors
    assert "has hung" in error.message and "resume" in str(error.hint)

    engine.release.set()
    thread.join(30)
    assert caught == [error]
    watched.made().run(Hangs(PAIRS))
    assert watched.count() == PAIRS
    assert watched.notice() is None


def test_an_engine_that_writes_tokens_for_long_is_left_alone(space: Workspace) -> None:
    watched, engine = Watched(space, silence_s=1.5), Hangs(3, beats=True)
    threading.Timer(2.5, engine.release.set).start()
    watched.pipeline.run(engine)
    assert (watched.count(), watched.said, watched.errors) == (PAIRS, [], [])


@pytest.mark.slow
def test_an_engine_that_goes_on_after_it_was_said_is_all_well_again(space: Workspace) -> None:
    watched, engine = Watched(space, silence_s=6.0), Hangs(3)
    watched.once_said = engine.release.set
    watched.pipeline.run(engine)
    assert watched.count() == PAIRS and not watched.errors
    assert watched.said and watched.said[0]
    assert watched.notice() is None


def test_a_model_that_does_not_load_is_noticed_by_its_own_limit(space: Workspace) -> None:
    watched = Watched(space, silence_s=100.0)
    with watched.watch.loading():
        assert watched.hung.wait(30)
    assert "not loaded" in watched.errors[0].message


def test_a_run_that_is_to_stop_does_not_wait_for_a_hung_engine(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "STOP_S", 0.3)
    watched = Watched(space, silence_s=100.0)
    watched.watch._poll_s = 0.05
    with watched.watch.answering(Pulse()):
        time.sleep(0.2)
        assert not watched.errors
        watched.stop.set()
        assert watched.hung.wait(30)
