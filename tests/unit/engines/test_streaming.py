from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from engine_requests import request
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.engines.base import Completion, EngineOptions, Failure, Outcome, Request
from backend.engines.streaming import AsyncEngine
from backend.errors import EngineError

BASE = request()


def numbered(count: int) -> Iterator[Request]:
    for number in range(count):
        yield Request(id=number, kind=BASE.kind, messages=BASE.messages, media=BASE.media)


class Plan(AsyncEngine):
    """Request ``i`` does what ``steps[i]`` says: sleep, fail, or break the engine."""

    def __init__(self, batch_size: int, steps: list[float | Exception]) -> None:
        self.steps = steps
        self.now = self.most = self.cancelled = 0
        self.loops: set[int] = set()
        super().__init__(EngineOptions(batch_size=batch_size))

    async def answer(self, request: Request) -> Outcome:
        self.loops.add(threading.get_ident())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            step = self.steps[request.id]
            if isinstance(step, Exception):
                raise step
            await asyncio.sleep(step)
            return Completion(id=request.id, text=str(request.id))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= 1


@settings(max_examples=40, deadline=None)
@given(
    batch_size=st.integers(1, 6),
    steps=st.lists(st.one_of(st.sampled_from([0.0, 0.001, 0.003]), st.builds(ValueError, st.text())), max_size=25),
)
def test_every_request_gets_one_outcome_and_no_more_than_batch_size_are_taken_ahead(
    batch_size: int, steps: list[float | Exception]
) -> None:
    given_back = 0
    ahead = []

    def counted() -> Iterator[Request]:
        for number, item in enumerate(numbered(len(steps)), start=1):
            ahead.append(number - given_back)
            yield item

    engine = Plan(batch_size, steps)
    outcomes = []
    try:
        for outcome in engine.generate(counted()):
            given_back += 1
            outcomes.append(outcome)
    finally:
        engine.close()
    assert sorted(outcome.id for outcome in outcomes) == list(range(len(steps)))
    for outcome in outcomes:
        assert isinstance(outcome, Failure) == isinstance(steps[outcome.id], Exception)
        assert "\n" not in getattr(outcome, "error", "")
    assert max(ahead, default=0) <= batch_size
    assert engine.most <= batch_size


def test_outcomes_come_in_finishing_order() -> None:
    engine = Plan(3, [0.3, 0.15, 0.0])
    assert [outcome.id for outcome in engine.generate(numbered(3))] == [2, 1, 0]
    engine.close()


def test_a_slow_iterator_does_not_hold_up_what_is_finished() -> None:
    release = threading.Event()

    def slow() -> Iterator[Request]:
        first, second = numbered(2)
        yield first
        release.wait(20)
        yield second

    engine = Plan(4, [0.0, 0.0])
    stream = engine.generate(slow())
    assert next(stream).id == 0
    release.set()
    assert [outcome.id for outcome in stream] == [1]
    engine.close()


def test_an_engine_error_is_raised_and_everything_else_is_cancelled() -> None:
    engine = Plan(3, [60.0, 60.0, EngineError("the server is gone")])
    with pytest.raises(EngineError, match="the server is gone"):
        list(engine.generate(numbered(3)))
    assert (engine.cancelled, engine.now) == (2, 0)
    engine.close()


def test_an_error_of_the_requests_themselves_is_raised_to_the_caller() -> None:
    def broken() -> Iterator[Request]:
        yield next(numbered(1))
        raise RuntimeError("the store is gone")

    engine = Plan(2, [0.0])
    with pytest.raises(RuntimeError, match="the store is gone"):
        list(engine.generate(broken()))
    engine.close()


def test_closing_the_stream_cancels_what_is_in_flight_and_lets_go_of_the_requests() -> None:
    closed = []

    def watched() -> Iterator[Request]:
        try:
            yield from numbered(100)
        finally:
            closed.append(True)

    source = watched()
    engine = Plan(5, [0.0] + [60.0] * 99)
    stream = engine.generate(source)
    next(stream)
    while engine.now < 4:
        time.sleep(0.001)
    stream.close()
    assert engine.now == 0 and engine.cancelled >= 4
    source.close()
    assert closed == [True]
    # The engine itself lives on and takes another stream.
    engine.steps = [0.0, 0.0]
    assert len(list(engine.generate(numbered(2)))) == 2
    engine.close()


def test_all_requests_run_on_the_engines_own_loop_and_closing_twice_is_fine() -> None:
    engine = Plan(2, [0.0] * 6)
    list(engine.generate(numbered(6)))
    assert len(engine.loops) == 1 and threading.get_ident() not in engine.loops
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        list(engine.generate(numbered(1)))
