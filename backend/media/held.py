"""Decoded media that a request carries, and the memory that they count for until they are let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Generic, TypeVar

from backend.media.budget import DECODING, Share

_T = TypeVar("_T")


class Held(Mapping[str, _T], Generic[_T]):
    """The media of one request, by side.

    Args:
        media: Decoded.
        done: Called once when they are let go.
    """

    __slots__ = ("_done", "_instead", "_lock", "_media")

    def __init__(self, media: Mapping[str, _T], done: Callable[[], None]) -> None:
        self._media: Mapping[str, _T] | None = media
        self._done = done
        self._instead: Share | None = None
        self._lock = Lock()

    def __getitem__(self, side: str) -> _T:
        if self._media is None:
            raise RuntimeError("the media of this request were let go")
        return self._media[side]

    def __iter__(self) -> Iterator[str]:
        return iter(self._media or ())

    def __len__(self) -> int:
        return len(self._media or ())

    def let_go(self, *, instead: int = 0) -> None:
        """Keep the media no longer.

        Args:
            instead: Bytes that were made of them and stay in memory until :meth:`end`. They are counted,
                and nobody waits for them: whoever waited here would hold up the media behind.
        """
        with self._lock:
            if self._media is None:
                return
            self._media = None
            if instead:
                self._instead = DECODING.add(instead)
        self._done()

    def end(self) -> None:
        """The request was answered: nothing of it is in memory any more."""
        self.let_go()
        if self._instead is not None:
            self._instead.give_back()
