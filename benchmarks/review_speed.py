"""From a key to the next pair on the screen, and to the ruling on the disk, in real Chromium.

    python -m benchmarks.big_workspace /tmp/large
    python -m benchmarks.review_speed /tmp/large

200 rulings at 4 per second, typed into the dashboard by a browser while a writer commits 200
predictions a second to the same database. Bars: next pair painted, p95 at most 100 ms; ruling
stored, p95 at most 300 ms.

*Painted* is counted to the start of the frame after the one in which the next pair was drawn with
both of its images decoded. *Stored* is counted to the browser's receiving the acknowledgement,
which the server gives when the commit is on the disk.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from backend.curation.queues import NewQueue, Queues
from backend.domain.pairs import Order
from backend.store.database import Database
from backend.store.predictions import NewPrediction, Predictions

ROOT = Path(__file__).resolve().parents[1]
WRITES_PER_S, BATCH = 200, 20
BARS_MS = {"next pair painted": 100, "ruling stored": 300}

MEASURE = """
const find = () => {
  for (const element of document.querySelectorAll('*')) {
    const room = element.shadowRoot?.querySelector('.room');
    if (room) return room;
  }
};
let room = null;
window.painted = [];
window.stored = [];
const begun = new Map();
let pressed = 0;
window.addEventListener('keydown', (event) => {
  if (!room?.isConnected) room = find();
  if (!room) return;
  const before = room.dataset.prediction;
  const at = event.timeStamp;
  pressed = at;
  const look = () => {
    const images = [...room.querySelectorAll('.zoom > img')];
    const there = room.dataset.prediction && room.dataset.prediction !== before
      && images.length === 2 && images.every((image) => image.complete && image.naturalWidth > 0);
    requestAnimationFrame(there ? () => window.painted.push(performance.now() - at) : look);
  };
  requestAnimationFrame(look);
}, true);
const ask = window.fetch;
const keep = Storage.prototype.setItem;
Storage.prototype.setItem = function (name, value) {
  // A key that is refused makes no ruling: each ruling has the time of the key that made it.
  if (name.startsWith('winnow.ruling.')) begun.set(JSON.parse(value).token, pressed);
  return keep.call(this, name, value);
};
window.fetch = async (url, options) => {
  const answer = await ask(url, options);
  if (String(url).endsWith('/winnow/review/rulings') && answer.ok) {
    const now = performance.now();
    const { rulings } = JSON.parse(options.body);
    for (const { token } of rulings) window.stored.push(now - begun.get(token));
  }
  return answer;
};
"""


def write_predictions(database: Path) -> None:
    """Commit batches at a steady rate until stopped; the work of a running judge."""
    store = Database(database)
    rows = Predictions(store)
    begun = time.monotonic()
    for number in itertools.count():
        new = [
            NewPrediction(
                pair_id=1 + (number * BATCH + i) % 10_000,
                shown_order=Order.DATASET,
                sample=int(time.time() * 1000) % 1_000_000_000 + i,
                text="<think>Image 1: 8/10, Image 2: 3/10</think><answer>Image 1 is better</answer>",
                finish_reason="stop",
                prompt_tokens=900,
                completion_tokens=40,
                preferred="first",
                answer="first",
                margin=5.0,
                flaws=0,
                reasoning_hash=number,
                scores={"dimensions": [], "totals": [8, 3]},
                kind="image",
            )
            for i in range(BATCH)
        ]
        with store.write() as connection:
            rows.add(connection, 2, new)
        time.sleep(max(0.0, begun + (number + 1) * BATCH / WRITES_PER_S - time.monotonic()))


def serve(workspace: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            str(ROOT / "dashboard" / "app.py"),
            "--server.port",
            str(port),
            "--server.headless",
            "true",
        ],
        cwd=ROOT,
        env={**os.environ, "WINNOW_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=2).status_code == 200:
                return process, url
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def type_rulings(page: Page, count: int, per_second: float) -> None:
    begun = time.monotonic()
    for number, key in enumerate(itertools.islice(itertools.cycle("aar12a0raf"), count)):
        page.keyboard.press(key)
        time.sleep(max(0.0, begun + (number + 1) / per_second - time.monotonic()))


def measure(url: str, queue: int, count: int, per_second: float) -> dict[str, list[float]]:
    chromium = os.environ.get("WINNOW_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(MEASURE)
        page.goto(f"{url}/review?queue={queue}")
        page.get_by_label("Name", exact=True).fill("Ada")
        page.get_by_role("button", name="Go on").click()
        page.locator(".room[data-position]").wait_for(timeout=60_000)
        page.wait_for_timeout(3_000)
        type_rulings(page, count, per_second)
        page.locator(".room[data-pending='0']").wait_for(timeout=60_000)
        page.wait_for_timeout(500)
        found: dict[str, list[float]] = {
            "next pair painted": page.evaluate("window.painted"),
            "ruling stored": page.evaluate("window.stored"),
        }
        browser.close()
    return found


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--rulings", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=4.0)
    parser.add_argument("--without-writer", action="store_true")
    parser.add_argument("--writer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    file = options.workspace / "winnow.db"
    if options.writer:
        write_predictions(file)
        return
    database = Database(file)
    begun = time.perf_counter()
    new = NewQueue(kind="unreviewed", title="benchmark", run_ids=(1,))
    queue = Queues(database).make(new, created_by="benchmark")
    print(f"queue of {queue.items:,} items made in {time.perf_counter() - begun:.1f} s")
    database.close()
    server, url = serve(options.workspace)
    command: list[Any] = [sys.executable, "-m", "benchmarks.review_speed", options.workspace]
    writer = None
    if not options.without_writer:
        writer = subprocess.Popen([*command, "--writer"], cwd=ROOT)
    try:
        found = measure(url, queue.id, options.rulings, options.per_second)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        if writer is not None:
            writer.kill()
    load = os.getloadavg()[0]
    print(f"{options.rulings} rulings at {options.per_second}/s, {os.cpu_count()} CPUs, load {load:.1f}")
    print(f"{'':20}{'n':>6}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}{'bar ms':>10}")
    for name, values in found.items():
        row = (quantile(values, 0.5), quantile(values, 0.95), max(values), BARS_MS[name])
        print(f"{name:20}{len(values):>6}" + "".join(f"{value:>10.0f}" for value in row))


if __name__ == "__main__":
    main()
