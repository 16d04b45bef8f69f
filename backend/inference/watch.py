"""Noticing that a run's engine has hung: no token, no answer, no request for minutes.

What hangs is inside somebody's library, in a thread that nobody can end. So it is said first, in the
log and in the run's state, and then whoever runs the engine is told to end the whole process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backend.engines.base import Pulse
from backend.errors import EngineHung, WinnowError

log = logging.getLogger(__name__)

STOP_S = 30.0
"""Silence that ends a run which is to stop anyway."""


class EngineWatch:
    """Looks for signs of life from a thread of its own.

    Args:
        silence_s: Seconds without one that end the run; it is said after a third of them.
        load_s: The same while the model is loaded.
        stop: Set when the run is to stop.
        said: Is told what to say in the run's state, and ``None`` when all is well again.
        hung: Is told once, and ends the process. Called from the watch's own thread.
        poll_s: Seconds between two looks.
    """

    def __init__(
        self,
        *,
        silence_s: float,
        load_s: float,
        stop: threading.Event,
        said: Callable[[str | None], None],
        hung: Callable[[EngineHung], None],
        poll_s: float = 1.0,
    ) -> None:
        self._silence_s, self._load_s, self._poll_s = silence_s, load_s, poll_s
        self._stop, self._said, self._hung = stop, said, hung
        self._own = Pulse()

    def alive(self) -> None:
        """The engine has taken a request or answered one, or is held up by us."""
        self._own.beat()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While the model is loaded, from which no sign of life comes."""
        with self._over("the model is still not loaded after", self._load_s, lambda: 0):
            yield

    @contextmanager
    def answering(self, pulse: Pulse) -> Iterator[None]:
        """While the engine is asked.

        Args:
            pulse: The engine's own.
        """
        beats = lambda: self._own.beats + pulse.beats  # noqa: E731
        with self._over("no token and no answer for", self._silence_s, beats):
            yield

    @contextmanager
    def _over(self, what: str, limit: float, beats: Callable[[], int]) -> Iterator[None]:
        ended = threading.Event()
        look = threading.Thread(target=self._look, args=(what, limit, beats, ended), name="engine-watch", daemon=True)
        look.start()
        try:
            yield
        finally:
            ended.set()

    def _look(self, what: str, limit: float, beats: Callable[[], int], ended: threading.Event) -> None:
        silent, warned = 0.0, False
        seen, last = beats(), time.monotonic()
        poll = min(self._poll_s, limit / 10)
        while not ended.wait(poll):
            now = time.monotonic()
            # A process that was itself stopped for an hour has not waited for its engine.
            silent += min(now - last, 2 * poll)
            last = now
            if (found := beats()) != seen:
                seen, silent = found, 0.0
                if warned:
                    warned = False
                    self._say(None)
            elif silent >= (min(limit, STOP_S) if self._stop.is_set() else limit):
                error = EngineHung(
                    f"the engine has hung: {what} {_words(silent)}",
                    hint="resume the run: nothing that was answered is lost",
                )
                self._hung(error)
                return
            elif silent >= limit / 3 and not warned:
                warned = True
                self._say(f"{what} {_words(silent)}; the run ends after {_words(limit)} of that")

    def _say(self, text: str | None) -> None:
        log.warning("%s", text or "the engine goes on")
        try:
            self._said(text)
        except WinnowError as error:
            log.warning("the run's state cannot be written: %s", error)


def _words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
