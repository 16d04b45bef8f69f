"""Several endpoints as one: who is asked next, who rests, and when all are given up.

An endpoint that cannot be reached is left out and tried again after a pause that doubles each
time, at first with a single request. One that accepts requests and answers none is asked for a sign
of life; without one its requests are taken back, and it gets no other until it gives one. What a dead
endpoint would have had goes to the living ones. When all are dead for ``give_up_after`` seconds, the
pool says so.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from backend.errors import EngineError

_STRIKES = 3
"""Server errors in a row after which an endpoint counts as dead."""

_LONGEST_PATIENCE = 4


@dataclass(slots=True, eq=False)
class Endpoint:
    """One base URL and how it is doing."""

    url: str
    in_flight: int = 0
    strikes: int = 0
    deaths: int = 0
    rests_until: float = 0.0
    hung: bool = False
    """It accepts and does not answer: no request may wait for it."""
    hangs: int = 0
    quiet_since: float = 0.0
    tries: set[asyncio.Timeout] = field(default_factory=set)
    """Deadlines of what is in flight."""

    @property
    def dead(self) -> bool:
        """Failed when last asked, and not heard of since."""
        return self.deaths > 0


class EndpointPool:
    """Lends endpoints, the least loaded first.

    Args:
        limit: Requests in flight over all endpoints; each living one may have its even share.
        first_pause: Seconds before a dead endpoint is tried again; doubles up to ``last_pause``.
        give_up_after: Seconds with every endpoint dead until :meth:`lend` raises.
        quiet_after: Seconds without an answer until an endpoint is asked for a sign of life.
    """

    def __init__(
        self,
        urls: tuple[str, ...],
        limit: int,
        *,
        first_pause: float = 1.0,
        last_pause: float = 30.0,
        give_up_after: float = 120.0,
        quiet_after: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoints = [Endpoint(url) for url in urls]
        self._limit = limit
        self._first_pause = first_pause
        self._last_pause = last_pause
        self._give_up_after = give_up_after
        self._quiet_after = quiet_after
        self._clock = clock
        self._all_dead_since: float | None = None
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def lend(
        self, seconds: float | None = None, *, rather_not: Endpoint | None = None
    ) -> AsyncIterator[Endpoint]:
        """Wait for an endpoint with room and hold a place on it.

        Args:
            seconds: Deadline of what is done with it.
            rather_not: Has failed the caller before; is lent only where no other has room.

        Raises:
            EngineError: All have been dead for too long.
            TimeoutError: The deadline has passed, or the endpoint was found to have hung.
        """
        endpoint = await self._wait(rather_not)
        if not endpoint.in_flight:
            endpoint.quiet_since = self._clock()
        endpoint.in_flight += 1
        try:
            async with asyncio.timeout(seconds) as deadline:
                endpoint.tries.add(deadline)
                try:
                    yield endpoint
                finally:
                    endpoint.tries.discard(deadline)
        finally:
            endpoint.in_flight -= 1
            self._changed.set()

    def heard(self, endpoint: Endpoint) -> None:
        """The endpoint has answered sensibly."""
        endpoint.strikes = endpoint.deaths = 0
        endpoint.hung = False
        endpoint.quiet_since = self._clock()
        self._all_dead_since = None
        self._changed.set()

    async def watch(self, lives: Callable[[Endpoint], Awaitable[bool]]) -> None:
        """Look after endpoints that do not answer, until cancelled.

        Args:
            lives: Asks one for a sign of life, which takes little time.
        """
        while True:
            await asyncio.sleep(min(self._quiet_after / 4, self._first_pause))
            now = self._clock()
            asked = [
                endpoint
                for endpoint in self.endpoints
                if (endpoint.hung and endpoint.rests_until <= now)
                or (endpoint.in_flight and now - endpoint.quiet_since >= self._patience(endpoint))
            ]
            await asyncio.gather(*(self._ask(endpoint, lives) for endpoint in asked))

    def _patience(self, endpoint: Endpoint) -> float:
        """Longer after each hang: one that is deaf under its load would lose it again and again."""
        return self._quiet_after * 2.0 ** min(endpoint.hangs, _LONGEST_PATIENCE)

    async def _ask(self, endpoint: Endpoint, lives: Callable[[Endpoint], Awaitable[bool]]) -> None:
        began = self._clock()
        # Twice: a server may be deaf for a moment while it prepares a large request.
        alive = await lives(endpoint) or await lives(endpoint)
        if alive and endpoint.hung:
            self.heard(endpoint)
        elif alive:
            endpoint.quiet_since = self._clock()
        elif endpoint.hung or endpoint.quiet_since <= began:
            endpoint.hangs += not endpoint.hung
            endpoint.hung = True
            self.unreachable(endpoint)
            for deadline in endpoint.tries:
                if not deadline.expired():
                    deadline.reschedule(0.0)

    def unreachable(self, endpoint: Endpoint) -> None:
        """The endpoint could not be reached, or broke off."""
        now = self._clock()
        if endpoint.dead and now < endpoint.rests_until:
            # The rest of what was in flight when it died: the same death, not another.
            return
        pause = min(self._last_pause, self._first_pause * 2.0**endpoint.deaths)
        endpoint.deaths += 1
        endpoint.rests_until = now + pause
        if self._all_dead_since is None and all(other.dead for other in self.endpoints):
            self._all_dead_since = now
        self._changed.set()

    def server_error(self, endpoint: Endpoint) -> None:
        """The endpoint answered with a 5xx."""
        endpoint.strikes += 1
        if endpoint.strikes >= _STRIKES or endpoint.dead:
            self.unreachable(endpoint)

    def rest(self, endpoint: Endpoint, seconds: float) -> None:
        """The endpoint asked to be left alone for a while (429, Retry-After)."""
        endpoint.rests_until = max(endpoint.rests_until, self._clock() + seconds)

    async def _wait(self, rather_not: Endpoint | None) -> Endpoint:
        while True:
            now = self._clock()
            if self._all_dead_since is not None and now - self._all_dead_since >= self._give_up_after:
                raise EngineError(
                    f"no endpoint has answered for {now - self._all_dead_since:.0f} s: "
                    + ", ".join(endpoint.url for endpoint in self.endpoints),
                    hint="start the servers, check the URLs, then resume the run",
                )
            share = self._share()
            free = [
                e
                for e in self.endpoints
                if not e.hung and e.rests_until <= now and e.in_flight < (1 if e.dead else share)
            ]
            if free:
                # One request tries a dead endpoint as soon as it may: the living ones have room for
                # all, so that nothing else would.
                return min(free, key=lambda e: (e is rather_not, not e.dead, e.in_flight))
            self._changed.clear()
            wakes = [e.rests_until - now for e in self.endpoints if e.rests_until > now]
            if self._all_dead_since is not None:
                wakes.append(self._all_dead_since + self._give_up_after - now)
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.01, min(wakes, default=1.0)))
            except TimeoutError:
                continue

    def _share(self) -> int:
        """What each living endpoint may have."""
        return math.ceil(self._limit / max(1, sum(not e.dead for e in self.endpoints)))
