"""The server's memory while somebody looks through 2,000 pairs of 5 MB videos, in real Chromium.

    python -m benchmarks.memory [--pairs 2000]

Bar: it grows by less than 100 MB after the first 50 pairs. The review room is led by the arrow key,
each pair being on the screen for an eighth of a second; its videos are fetched by the browser.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import psutil
from playwright.sync_api import sync_playwright

from backend.curation.queues import NewQueue, Queues
from backend.domain.filtering import Policy
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.workspace import open_workspace, settings_for
from benchmarks.review_speed import serve

FILES, MEGABYTES, WARM = 8, 5, 50


def write_video(path: Path, seed: int) -> None:
    """Noise that does not compress: about five megabytes of H.264 in two seconds."""
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        stream.bit_rate = MEGABYTES * 8_000_000 // 2
        for _ in range(48):
            picture = rng.integers(0, 255, (360, 640, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def build(folder: Path, pairs: int) -> int:
    """A workspace of ``pairs`` video pairs over a few files; returns the review queue's id."""
    media = folder / "media"
    media.mkdir(parents=True)
    for number in range(FILES):
        write_video(media / f"{number}.mp4", number)
        # Each pair names files of its own, so that the browser keeps none for the next pair.
    rows, texts = [], []
    for number in range(pairs):
        for side in ("a", "b"):
            os.link(media / f"{(number + (side == 'b')) % FILES}.mp4", media / f"{number}{side}.mp4")
        rows.append(
            {"prompt": f"noise {number}", "first": f"{number}a.mp4", "second": f"{number}b.mp4", "preference": "first"}
        )
        texts.append(
            {
                "index": number,
                "text": "<think>\nVideo 1: 8/10\nVideo 2: 5/10\n</think><answer>Video 1 is better</answer>",
            }
        )
    (media / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    space = open_workspace(settings_for(folder / "ws"))
    dataset = import_dataset(
        space.database, name="noise", spec=f"pairs:{media / 'pairs.jsonl'}", data_root=None, check_media=False
    )
    spec = RunSpec(model="noise", engine="import", instruction=instructions(None, use_cot=True))
    import_predictions(space.database, dataset.id, spec, Policy(), folder / "texts.jsonl")
    queue = Queues(space.database).make(NewQueue(kind="unreviewed", title="noise"), created_by="benchmark")
    space.close()
    return queue.id


def resident(pid: int) -> float:
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(one.memory_info().rss for one in family) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winnow-memory-") as scratch:
        queue = build(Path(scratch), options.pairs)
        server, url = serve(Path(scratch) / "ws")
        seen: list[tuple[int, float]] = []
        fetched = 0
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(
                    executable_path=os.environ.get("WINNOW_CHROMIUM") or shutil.which("chromium"),
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

                def count(response: object) -> None:
                    nonlocal fetched
                    fetched += "/winnow/media/" in response.url  # type: ignore[attr-defined]

                page.on("response", count)
                page.goto(f"{url}/review?queue={queue}")
                page.get_by_label("Name", exact=True).fill("Ada")
                page.get_by_role("button", name="Go on").click()
                page.locator(".room[data-position]").wait_for(timeout=60_000)
                for number in range(1, options.pairs):
                    page.keyboard.press("ArrowRight")
                    time.sleep(0.125)
                    if number == WARM or number % 500 == 0 or number == options.pairs - 1:
                        seen.append((number, resident(server.pid)))
                browser.close()
        finally:
            os.killpg(server.pid, signal.SIGKILL)
    print(f"{'pairs seen':>12}{'server MB':>12}")
    for number, megabytes in seen:
        print(f"{number:>12}{megabytes:>12.0f}")
    growth = seen[-1][1] - seen[0][1]
    print(
        f"{fetched} media answers; grew by {growth:.0f} MB after the first {WARM}, bar 100 MB, {growth / 100:.2f} of it"
    )


if __name__ == "__main__":
    main()
