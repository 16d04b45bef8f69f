"""Several endpoints as one: who is asked next, who rests, and when all are given up.

An endpoint that cannot be reached is left out and tried again after a pause that doubles each
time, at first with a single request. When none can be reached for ``give_up_after`` seconds, the
pool says so.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from backend.errors import EngineError

_STRIKES = 3
"""Server errors in a row after which an endpoint counts as dead."""


@dataclass(slots=True, eq=False)
class Endpoint:
    """One base URL and how it is doing."""

    url: str
    in_flight: int = 0
    strikes: int = 0
    deaths: int = 0
    rests_until: float = 0.0

    @property
    def dead(self) -> bool:
        """Failed when last asked, and not heard of since."""
        return self.deaths > 0


class EndpointPool:
    """Lends endpoints, the least loaded first.

    Args:
        limit: Requests in flight over all endpoints; each may have its even share.
        first_pause: Seconds before a dead endpoint is tried again; doubles up to ``last_pause``.
        give_up_after: Seconds with every endpoint dead until :meth:`lend` raises.
    """

    def __init__(
        self,
        urls: tuple[str, ...],
        limit: int,
        *,
        first_pause: float = 1.0,
        last_pause: float = 30.0,
        give_up_after: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoints = [Endpoint(url) for url in urls]
        self._share = math.ceil(limit / len(urls))
        self._first_pause = first_pause
        self._last_pause = last_pause
        self._give_up_after = give_up_after
        self._clock = clock
        self._all_dead_since: float | None = None
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Endpoint]:
        """Wait for an endpoint with room and hold a place on it.

        Raises:
            EngineError: All have been dead for too long.
        """
        endpoint = await self._wait()
        endpoint.in_flight += 1
        try:
            yield endpoint
        finally:
            endpoint.in_flight -= 1
            self._changed.set()

    def heard(self, endpoint: Endpoint) -> None:
        """The endpoint has answered sensibly."""
        endpoint.strikes = endpoint.deaths = 0
        self._all_dead_since = None
        self._changed.set()

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

    async def _wait(self) -> Endpoint:
        while True:
            now = self._clock()
            if (
                self._all_dead_since is not None
                and now - self._all_dead_since >= self._give_up_after
            ):
                raise EngineError(
                    f"no endpoint has answered for {now - self._all_dead_since:.0f} s: "
                    + ", ".join(endpoint.url for endpoint in self.endpoints),
                    hint="start the servers, check the URLs, then resume the run",
                )
            free = [e for e in self.endpoints if e.rests_until <= now and self._has_room(e)]
            if free:
                return min(free, key=lambda e: (e.dead, e.in_flight))
            self._changed.clear()
            wakes = [e.rests_until - now for e in self.endpoints if e.rests_until > now]
            if self._all_dead_since is not None:
                wakes.append(self._all_dead_since + self._give_up_after - now)
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.01, min(wakes, default=1.0)))
            except TimeoutError:
                continue

    def _has_room(self, endpoint: Endpoint) -> bool:
        return endpoint.in_flight < (1 if endpoint.dead else self._share)
