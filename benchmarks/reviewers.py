"""Twenty people review one queue while a run writes and another is decided anew.

    python -m benchmarks.big_workspace /tmp/large --pairs 12000
    python -m benchmarks.reviewers /tmp/large

A real server, a process that commits 200 predictions a second as a run does, one that decides run 1
anew over and over under two policies in turn, and one with the reviewers, who do what the pair viewer
does: items ahead in pages of two dozen, both media of each, a ruling about every two seconds, statistics
behind it, everything sent again until it is acknowledged. The session is a browser's; its name and
token, which Streamlit would give it, are written as the dashboard writes them. Bars: rulings and items,
p95 at most 500 ms. At the end each acknowledged ruling must be stored once, and be in force.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from backend.curation.queues import NewQueue, Queues
from backend.domain.filtering import PRESETS
from backend.inference.deciding import redecide
from backend.store.database import Database
from backend.store.people import People
from backend.store.queues import QueueRow
from backend.store.schema import reviews, verdicts
from backend.store.upgrade import upgrade
from benchmarks.review_speed import quantile, write_predictions
from dashboard.session import COOKIE
from dashboard.signing import signer

ROOT = Path(__file__).resolve().parents[1]
BARS_MS = {"rulings": 500, "items": 500}
OPEN_COUNT, FETCH_COUNT, FETCH_BELOW = 12, 24, 16
STATS_SOONEST_S = 2.5
COMING_S = 10.0
"""Within so many seconds all have opened the room."""


class Reviewer:
    """One browser in the review room."""

    def __init__(self, client: httpx.AsyncClient, name: str, queue: QueueRow, every: float) -> None:
        self.client, self.name, self.queue, self.every = client, name, queue, every
        self.times: dict[str, list[float]] = defaultdict(list)
        self.problems: list[str] = []
        self.acknowledged: set[str] = set()
        self._items: list[dict[str, Any]] = []
        self._from, self._stats_at, self._stats_due = 0, 0.0, 0.0
        self._random = random.Random(name)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def review(self, until: float) -> None:
        """Rule until then, and wait until all is acknowledged."""
        await asyncio.sleep(self._random.uniform(0, COMING_S))
        await self._fill(exact=True)
        await self._stats()
        filling: asyncio.Task[Any] | None = None
        for number in itertools.count():
            if time.monotonic() >= until:
                break
            begun = time.monotonic()
            if self._items:
                item = self._items.pop(0)
                self._later(self._rule(item, f"{self.name}-{number}-{os.getpid()}"))
                for url in (item["first"], item["second"]):
                    self._later(self._call("media", "GET", url))
            if len(self._items) <= FETCH_BELOW and (filling is None or filling.done()):
                filling = self._later(self._fill())
            pause = self._random.uniform(0.75, 1.25) * self.every
            await asyncio.sleep(max(0.0, begun + pause - time.monotonic()))
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _later(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _fill(self, *, exact: bool = False) -> None:
        count = OPEN_COUNT if exact else FETCH_COUNT
        answer = await self._call(
            "items",
            "GET",
            f"/winnow/review/{self.queue.id}/items?from={self._from}&count={count}" + ("&exact=1" if exact else ""),
        )
        if answer and answer["items"]:
            self._items += [item for item in answer["items"] if not item["mine"]]
            self._from = 0 if answer["at_end"] else answer["items"][-1]["position"] + 1

    async def _rule(self, item: dict[str, Any], token: str) -> None:
        kind = self._random.choice(("accept", "reject", "relabel"))
        if kind == "accept" and item["answer"] not in ("first", "second"):
            kind = "reject"
        ruling = {
            "token": token,
            "queue": self.queue.id,
            "position": item["position"],
            "prediction_id": item["prediction"],
            "ruling": kind,
            "relabel": "first" if kind == "relabel" else None,
            "note": "",
            "tags": [],
        }
        wait = 0.5
        while True:
            answer = await self._call("rulings", "POST", "/winnow/review/rulings", {"rulings": [ruling]})
            if answer:
                break
            await asyncio.sleep(wait)
            wait = min(10.0, 2 * wait)
        self.acknowledged.update(answer["stored"])
        self.problems += [one["message"] for one in answer["refused"]]
        # Behind the acknowledgement, and not more often than that; the newest request counts.
        self._stats_due = due = time.monotonic() + max(0.4, self._stats_at + STATS_SOONEST_S - time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        if due == self._stats_due:
            await self._stats()

    async def _stats(self) -> None:
        self._stats_at = time.monotonic()
        await self._call("stats", "GET", f"/winnow/review/{self.queue.id}/stats")

    async def _call(self, what: str, method: str, url: str, body: Any = None) -> Any:
        begun = time.monotonic()
        try:
            answer = await self.client.request(method, url, json=body)
        except httpx.HTTPError as error:
            self.problems.append(f"{what}: {error!r}")
            return None
        self.times[what].append(1000 * (time.monotonic() - begun))
        if answer.status_code >= 300:
            self.problems.append(f"{what}: {answer.status_code} {answer.text[:200]}")
            return None
        return answer.json() if what != "media" else None


async def measure(
    url: str, workspace: Path, queue: QueueRow, count: int, every: float, seconds: float
) -> list[Reviewer]:
    """All of them at once."""
    people = People(Database(workspace / "winnow.db"))
    # A browser's; and given up before the server does, which would meet a request on its way.
    limits = httpx.Limits(max_connections=6, keepalive_expiry=2)
    reviewers = []
    for number in range(count):
        name = f"reviewer{number:02d}"
        client = httpx.AsyncClient(base_url=url, limits=limits, timeout=20)
        await client.get("/")
        session = client.cookies[COOKIE]
        people.keep(f"session:{session}", name=name)
        token = signer(workspace, "api").dumps([session, name, "operator", int(time.time()) + 9_000])
        client.headers["Authorization"] = f"Bearer {token}"
        reviewers.append(Reviewer(client, name, queue, every))
    until = time.monotonic() + seconds
    await asyncio.gather(*(one.review(until) for one in reviewers))
    for one in reviewers:
        await one.client.aclose()
    return reviewers


def lost(database: Database, acknowledged: set[str]) -> tuple[int, int]:
    """How many acknowledged rulings are not stored, and on how many predictions another decision is
    in force than the newest ruling's."""
    with database.read() as connection:
        rows = connection.execute(
            select(reviews.c.token, reviews.c.prediction_id, reviews.c.ruling, reviews.c.reviewer).order_by(
                reviews.c.id
            )
        ).all()
        # Reviewers here settle the matter, each time; the workspace's own rulings may be flags.
        newest = {row.prediction_id: (row.ruling, row.reviewer) for row in rows if row.token in acknowledged}
        wrong = 0
        for row in connection.execute(
            select(verdicts.c.prediction_id, verdicts.c.ruling, verdicts.c.reviewer).where(
                verdicts.c.ruling.is_not(None)
            )
        ):
            found = (row.ruling, row.reviewer)
            wrong += newest.pop(row.prediction_id, found) != found
    return len(acknowledged - {row.token for row in rows}), wrong + len(newest)


def serve(workspace: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The server as ``winnow serve`` starts it, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "dashboard",
            "--server.port",
            str(port),
            "--server.headless",
            "true",
            "--server.address",
            "127.0.0.1",
        ],
        cwd=ROOT,
        env={**os.environ, "WINNOW_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(1200):
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=2).status_code == 200:
                return process, url
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def decide_again_and_again(file: Path) -> None:
    """Decide run 1 anew under two policies in turn, until stopped."""
    database = Database(file)
    for number, name in enumerate(itertools.cycle(("one-per-pair", "agreement"))):
        begun = time.monotonic()
        redecide(database, 1, PRESETS[name], 10_000)
        print(f"decided anew, {number + 1}: {time.monotonic() - begun:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--reviewers", type=int, default=20)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between rulings of one")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--blind", action="store_true", help="a blind queue for two rulings each")
    parser.add_argument("--alone", action="store_true", help="no run writes, and none is decided")
    parser.add_argument("--as", dest="role", choices=["writer", "decider"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    file = options.workspace / "winnow.db"
    if options.role:
        {"writer": write_predictions, "decider": decide_again_and_again}[options.role](file)
        return
    database = Database(file)
    upgrade(database)
    new = NewQueue(
        kind="unreviewed",
        title="benchmark",
        run_ids=(1,),
        blind=options.blind,
        rulings_wanted=2 if options.blind else 1,
    )
    queue = Queues(database).make(new, created_by="benchmark")
    server, url = serve(options.workspace)
    command: list[Any] = [sys.executable, "-m", "benchmarks.reviewers", options.workspace, "--as"]
    roles = [] if options.alone else ["writer", "decider"]
    others = [subprocess.Popen([*command, role], cwd=ROOT) for role in roles]
    try:
        time.sleep(3)
        used = time.process_time()
        reviewers = asyncio.run(
            measure(url, options.workspace, queue, options.reviewers, options.every, options.seconds)
        )
        used = time.process_time() - used
        stat = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        server_s = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        for other in others:
            other.kill()
            other.wait()
    print(
        f"{options.reviewers} reviewers, {options.seconds:.0f} s, queue of {queue.items:,}, "
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; "
        f"CPU of the server {server_s:.0f} s, of the reviewers {used:.0f} s"
    )
    print(f"{'':12}{'n':>6}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}{'bar ms':>10}")
    for name in ("rulings", "items", "stats", "media"):
        values = [value for one in reviewers for value in one.times[name]]
        if values:
            row = (quantile(values, 0.5), quantile(values, 0.95), max(values))
            cells = "".join(f"{value:>10.0f}" for value in row)
            print(f"{name:12}{len(values):>6}{cells}{BARS_MS.get(name, ''):>10}")
    acknowledged = {token for one in reviewers for token in one.acknowledged}
    missing, wrong = lost(database, acknowledged)
    problems = [problem for one in reviewers for problem in one.problems]
    print(f"{len(acknowledged)} acknowledged, {missing} lost, {wrong} not in force, {len(problems)} problems")
    for problem in dict.fromkeys(problems):
        print("  " + problem)
    if missing or wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
