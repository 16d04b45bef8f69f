"""The loop that asynchronous engines share: a bounded number of requests in flight.

Three threads meet here. The caller's drives ``generate``. A feeder thread pulls requests, so that a
slow decode never holds up completions. A third runs the event loop in which every request is one
task; it lives as long as the engine, because clients and AsyncLLM belong to the loop they began in.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Generator, Iterator
from typing import Any, TypeVar

from backend.engines.base import EngineOptions, Failure, Outcome, Pulse, Request
from backend.engines.chat import one_line
from backend.errors import EngineError

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_FEEDER_GRACE = 30.0
"""Seconds to wait for a feeder that is inside the caller's iterator when a stream is closed."""


class LoopThread:
    """An event loop on a daemon thread of its own."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run ``work`` in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        """Stop the loop; may be called twice."""
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class AsyncEngine(ABC):
    """An engine whose requests are coroutines.

    A subclass gives :meth:`answer`, and :meth:`start` and :meth:`stop` where it holds anything; all
    three run in the engine's own event loop.
    """

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self.pulse = Pulse()
        self._runner = LoopThread(type(self).__name__)
        self._closed = False
        try:
            self._runner.call(self.start())
        except BaseException:
            self._closed = True
            self._runner.close()
            raise

    async def start(self) -> None:  # noqa: B027 - optional to override
        """Open clients, load the model."""

    async def stop(self) -> None:  # noqa: B027 - optional to override
        """Undo :meth:`start`."""

    @abstractmethod
    async def answer(self, request: Request) -> Outcome:
        """Answer one request.

        Raises:
            EngineError: The engine as a whole can go on no longer. Any other exception is this
                request's own failure.
        """

    def generate(self, requests: Iterator[Request]) -> Generator[Outcome, None, None]:
        """See :meth:`backend.engines.base.Engine.generate`.

        An exception of ``requests`` itself is raised here. Closing the generator cancels what is
        in flight.
        """
        if self._closed:
            raise EngineError("the engine is closed")
        stream = _Stream(self, requests, self._runner.loop, self.options.batch_size)
        try:
            yield from stream.outcomes()
        finally:
            self._runner.call(stream.cancel())
            stream.join()

    def close(self) -> None:
        """Stop the engine and its event loop; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self._runner.call(self.stop())
        finally:
            self._runner.close()


class _Stream:
    """One call of ``generate``: its slots, its feeder and its tasks."""

    def __init__(
        self, engine: AsyncEngine, requests: Iterator[Request], loop: asyncio.AbstractEventLoop, limit: int
    ) -> None:
        self._engine = engine
        self._requests = requests
        self._loop = loop
        self._slots = threading.Semaphore(limit)
        self._results: queue.SimpleQueue[Outcome | BaseException | int] = queue.SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = threading.Event()
        self._feeder = threading.Thread(target=self._feed, name="engine-feeder", daemon=True)

    def outcomes(self) -> Generator[Outcome, None, None]:
        self._feeder.start()
        given, taken = 0, None
        while given != taken:
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            if isinstance(result, int):
                taken = result
                continue
            given += 1
            yield result
            # Only now has the caller come back for more: the request's slot is free.
            self._slots.release()

    def _feed(self) -> None:
        taken = 0
        try:
            while True:
                self._slots.acquire()
                if self._stopped.is_set():
                    return
                request = next(self._requests, None)
                if request is None:
                    self._results.put(taken)
                    return
                taken += 1
                self._loop.call_soon_threadsafe(self._begin, request)
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            self._results.put(error)

    def _begin(self, request: Request) -> None:
        if self._stopped.is_set():
            return
        task = self._loop.create_task(self._run(request))
        # The loop itself keeps only weak references to its tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, request: Request) -> None:
        try:
            self._results.put(await self._engine.answer(request))
        except EngineError as error:
            self._results.put(error)
        except Exception as error:
            logger.debug("request %d failed", request.id, exc_info=True)
            hint = getattr(error, "hint", None)
            self._results.put(Failure(id=request.id, error=one_line(error), hint=hint))

    async def cancel(self) -> None:
        """Stop feeding and end every task; returns when none is left."""
        self._stopped.set()
        self._slots.release()
        # What the feeder handed over before this moment has become a task by the next turn.
        await asyncio.sleep(0)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def join(self) -> None:
        """Wait until the feeder has let go of the caller's iterator."""
        if self._feeder.ident is not None:
            self._feeder.join(_FEEDER_GRACE)
