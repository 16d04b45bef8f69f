"""Every engine that is registered answers, fails in one line, is closed, and leaves nothing when it is killed.

One whose packages are missing here is skipped. What only engines that load a model do (cut off, repeat by seed, spell
control tokens) is in ``tests/integration/engine_checks.py``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.domain.pairs import MediaKind
from backend.engines.base import Completion, Engine, EngineOptions, Failure, Request
from backend.engines.registry import ENGINES, load_engine, resolve_engine
from backend.errors import WinnowError
from backend.media.held import Held
from tests.unit.contracts.checks import check_words
from tests.unit.contracts.engine_stages import BATCH, REFUSED, STAGES, Stage
from tests.unit.engines.engine_requests import image, request

ROOT = Path(__file__).parents[3]
COUNT, BROKEN = 6, 3


def marked(name: str) -> Any:
    """A model takes its time to load."""
    marks = [pytest.mark.judge, pytest.mark.slow] if ENGINES[name].loads_model else []
    return pytest.param(name, marks=marks)


@pytest.fixture(params=[marked(one.name) for one in ENGINES.own])
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if lacks := ENGINES[found].lacks():
        pytest.skip(f"engine {found} cannot run here: {lacks}")
    assert found in STAGES, "write in engine_stages.py what the engine is loaded with"
    return found


@pytest.fixture
def stage(name: str, tmp_path: Path) -> Iterator[Stage]:
    with STAGES[name](tmp_path) as staged:
        yield staged


def load(name: str, stage: Stage) -> Engine:
    options = EngineOptions(**stage.options, batch_size=BATCH)
    assert resolve_engine(name, model=stage.model, options=options).name == name
    return load_engine(name, stage.model, options)


class Watched:
    """Requests that note when they are taken and when their media are let go."""

    def __init__(self, *, broken: bool = False) -> None:
        self.taken = 0
        self.let_go: set[int] = set()
        self.held: list[Held[Any]] = []
        self.broken = broken

    def end(self) -> None:
        """As the pipeline does for each request that was answered."""
        for one in self.held:
            one.end()

    def __iter__(self) -> Iterator[Request]:
        flat = image((9, 9, 9)).resize((1200, 2))
        for number in range(COUNT):
            kind = MediaKind.VIDEO if number % 2 else MediaKind.IMAGE
            one = request(number, kind, seed=number)
            if self.broken and number == BROKEN:
                # No processor takes such a form, and no server of the stage such a caption.
                one = request(number, media=(flat, flat), caption=REFUSED)
            self.taken += 1
            held = Held(dict(one.media), lambda number=number: self.let_go.add(number))  # type: ignore[misc]
            self.held.append(held)
            yield Request(id=number, kind=one.kind, messages=one.messages, media=held, seed=number)


def test_an_engine_is_declared_with_words_for_who_chooses_it(name: str) -> None:
    assert ENGINES[name].name == name
    check_words(ENGINES[name])


def test_it_answers_each_request_once_and_takes_no_more_than_it_works_on(name: str, stage: Stage) -> None:
    engine, watched = load(name, stage), Watched()
    answered: list[int] = []
    try:
        for outcome in engine.generate(iter(watched)):
            assert isinstance(outcome, Completion), outcome
            assert outcome.text.strip() and outcome.finish_reason
            assert watched.taken - len(answered) <= BATCH
            assert outcome.id in watched.let_go
            answered.append(outcome.id)
        assert sorted(answered) == list(range(COUNT))
    finally:
        engine.close()
        watched.end()


def test_a_request_that_it_cannot_answer_fails_alone(name: str, stage: Stage) -> None:
    if not stage.looks:
        pytest.skip(f"engine {name} answers whatever it is asked")
    engine, watched = load(name, stage), Watched(broken=True)
    try:
        outcomes = {outcome.id: outcome for outcome in engine.generate(iter(watched))}
    finally:
        engine.close()
        watched.end()
    failed = [number for number, outcome in outcomes.items() if isinstance(outcome, Failure)]
    assert (len(outcomes), failed) == (COUNT, [BROKEN])
    error: Any = outcomes[BROKEN]
    assert error.error and "\n" not in error.error


def test_what_it_cannot_be_loaded_with_is_one_line_and_a_hint(name: str, stage: Stage) -> None:
    with pytest.raises(WinnowError) as caught:
        load_engine(name, stage.wrong_model or stage.model, EngineOptions(**stage.wrong))
    assert caught.value.hint and "\n" not in caught.value.message


def test_it_is_closed_in_the_middle_and_twice_and_leaves_no_thread(name: str, stage: Stage) -> None:
    load(name, stage).close()  # libraries that are imported may keep threads of their own
    before = set(threading.enumerate())
    engine, watched = load(name, stage), Watched()
    stream: Any = engine.generate(iter(watched))
    next(stream)
    stream.close()
    engine.close()
    engine.close()
    watched.end()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert [one for one in left if one.startswith(("engine", type(engine).__name__))] == []


def test_it_leaves_no_process_when_it_is_killed(name: str, stage: Stage) -> None:
    options = json.dumps({**stage.options, "batch_size": BATCH})
    words = [sys.executable, "-m", "tests.unit.contracts.engine_stages", name, stage.model, options]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"answered\n"
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while (left := processes_of(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def processes_of(session: int) -> list[int]:
    """The processes of a session that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == session:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found
