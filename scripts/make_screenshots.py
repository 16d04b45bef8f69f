"""Pictures of every page, light and dark, of the demo workspace: ``make screenshots``.

    python scripts/make_screenshots.py [--workspace FOLDER] [--out docs/screenshots] [--width 1440]

Without a workspace the demo is run first, in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from backend.curation.queues import NewQueue, Queues
from backend.workspace import open_workspace, settings_for

ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = {
    "overview": "",
    "datasets": "datasets?name=demo-t2i",
    "runs": "runs",
    "launch": "runs?new=1&dataset=demo-t2i",
    "analysis": "runs?run=1&tab=analysis",
    "compare": "compare?a=1&b=3",
    "browse": "browse",
    "review": "review?queue=1&at=6",
    "curate": "curate?runs=1,2",
    "training": "training?training=1",
    "train": "training?new=1&set=demo",
}


def main() -> int:
    """Make the pictures; the exit code is 1 when a page shows an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winnow-screenshots-") as scratch:
        workspace = given.workspace or prepared(Path(scratch) / "winnow-workspace")
        return pictures(workspace.absolute(), given)


def prepared(workspace: Path) -> Path:
    """A workspace with the demo in it, a second run to compare with, a training, rulings and a queue."""
    winnow = [sys.executable, "-m", "backend.cli"]
    environment = {**os.environ, "WINNOW_WORKSPACE": str(workspace)}
    for words in (
        ["demo", "--no-serve"],
        [
            "run",
            "start",
            "--dataset",
            "demo-t2i",
            "--model",
            str(ROOT / "backend/demo/judge"),
            "--engine",
            "transformers",
            "--order",
            "both",
            "--max-new-tokens",
            "256",
            "--wait",
        ],
        [
            "train",
            "start",
            "--set",
            "demo",
            "--model",
            str(ROOT / "backend/demo/judge"),
            "--output-dir",
            str(workspace / "judge-2"),
            "--max-steps",
            "40",
            "--train-batch-size",
            "8",
            "--learning-rate",
            "1e-4",
            "--validation",
            "0.1",
            "--save-steps",
            "10",
            "--wait",
        ],
        *(
            ["review", "add", "1", "--index", str(index), "--ruling", ruling, "--reviewer", "Ada"]
            for index, ruling in enumerate(["accept", "accept", "reject", "accept", "flag"])
        ),
    ):
        subprocess.run([*winnow, *words], check=True, cwd=ROOT, env=environment)
    space = open_workspace(settings_for(workspace))
    queue = NewQueue(kind="unreviewed", title="Both media", run_ids=(1, 2))
    Queues(space.database).make(queue, created_by="Ada")
    space.close()
    return workspace


def pictures(workspace: Path, given: argparse.Namespace) -> int:
    """Serve ``workspace`` and photograph its pages."""
    given.out.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "dashboard", "--server.port", str(port)],
        cwd=ROOT,
        env={**os.environ, "WINNOW_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    wrong = 0
    try:
        wait_for(f"{url}/_stcore/health")
        with sync_playwright() as driver:
            path = shutil.which("chromium") or shutil.which("google-chrome")
            browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    color_scheme=scheme, viewport={"width": given.width, "height": given.height}
                )
                page = context.new_page()
                for name in given.pages:
                    wrong += not picture(page, f"{url}/{PAGES[name]}", given.out / f"{name}-{scheme}.png")
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=20)
    return 1 if wrong else 0


def picture(page: Page, url: str, target: Path) -> bool:
    """Photograph one page once it has settled; false when it shows an error."""
    page.goto(url)
    settle(page)
    if "review?" in url:
        with contextlib.suppress(PlaywrightTimeout):
            page.get_by_placeholder("Ada").fill("Ada", timeout=8_000)
            page.get_by_role("button", name="Go on").click()
        page.locator(".room[data-position]").wait_for()
        settle(page)
    page.wait_for_timeout(3500)
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("P", palette=Image.Palette.ADAPTIVE, colors=192).save(target, optimize=True)
    broken = page.locator("[data-testid='stException'], [data-testid='stAlertContentError']").count()
    print(f"{target.name}: {target.stat().st_size // 1024} KB{' SHOWS AN ERROR' if broken else ''}")
    return broken == 0


def settle(page: Page) -> None:
    """Wait until Streamlit has drawn everything; a page with live parts never quite rests."""
    page.wait_for_selector("[data-testid='stApp']")
    page.wait_for_selector("h2, h3, [data-testid='stMarkdown']", timeout=60_000)
    with contextlib.suppress(PlaywrightTimeout):
        page.wait_for_function(
            "() => document.querySelector('[data-testid=\"stApp\"]')"
            "?.getAttribute('data-test-script-state') === 'notRunning'",
            timeout=8_000,
        )


def wait_for(url: str) -> None:
    """Wait until the server answers."""
    for _ in range(600):
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit("the dashboard did not start")


if __name__ == "__main__":
    raise SystemExit(main())
