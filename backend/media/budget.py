"""A budget in bytes for all that one process decodes at a time.

Whoever decodes takes a share first, of what the header says it will need, and gives it back when
nobody holds the pixels any more. Shares are served in the order in which they were asked for, so
that a large medium is not overtaken for ever. One that is larger than the whole budget goes alone.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from threading import Condition

DEFAULT = 1_000_000_000
"""Bytes, unless ``WINNOW_DECODE_MEMORY`` says otherwise."""


class Budget:
    """Bytes that may be in use at a time.

    Args:
        limit: Bytes; may be changed at any time.
    """

    def __init__(self, limit: int = DEFAULT) -> None:
        self.limit = limit
        self._changed = Condition()
        self._queue: deque[Share] = deque()
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes of all shares that are out."""
        return self._used

    def share(self) -> Share:
        """A place in the queue; take it, or give it back."""
        share = Share(self)
        with self._changed:
            self._queue.append(share)
        return share

    def add(self, size: int) -> Share:
        """Count ``size`` bytes that are in memory already, without waiting."""
        share = Share(self)
        with self._changed:
            share._waiting, share._size = False, size
            self._used += size
        return share

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Wait for ``size`` bytes and keep them for the block; nobody may wait inside of it."""
        share = self.share()
        try:
            share.take(size)
            yield
        finally:
            share.give_back()

    def reset(self) -> None:
        """Forget everything: in a forked child, where those who held shares are gone."""
        self._changed = Condition()
        self._queue.clear()
        self._used = 0

    def _fits(self, share: Share, size: int) -> bool:
        return self._queue[0] is share and (not self._used or self._used + size <= self.limit)


class Share:
    """Somebody's bytes of a budget: first waiting, then held, in the end given back."""

    __slots__ = ("_budget", "_returned", "_size", "_waiting")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0
        self._waiting = True
        self._returned = False

    def take(self, size: int) -> None:
        """Wait until ``size`` bytes are free and all who asked earlier have theirs.

        Raises:
            CancelledError: It was given back meanwhile, by another thread.
        """
        budget = self._budget
        with budget._changed:
            budget._changed.wait_for(lambda: self._returned or budget._fits(self, size))
            if self._returned:
                raise CancelledError
            budget._queue.popleft()
            self._waiting, self._size = False, size
            budget._used += size
            budget._changed.notify_all()

    def resize(self, size: int) -> None:
        """Hold so many bytes from now on, without waiting: what is there already is counted."""
        budget = self._budget
        with budget._changed:
            if not self._returned:
                budget._used += size - self._size
                self._size = size
                budget._changed.notify_all()

    def give_back(self) -> None:
        """Return the bytes, or leave the queue; the second time nothing happens."""
        budget = self._budget
        with budget._changed:
            if self._returned:
                return
            self._returned = True
            budget._used -= self._size
            if self._waiting:
                budget._queue.remove(self)
            budget._changed.notify_all()


DECODING = Budget()
"""This process's; a workspace that is opened sets its limit."""

os.register_at_fork(after_in_child=DECODING.reset)
