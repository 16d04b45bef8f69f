"""First views of pages and changes of filter, in real Chromium over a large workspace.

    python -m benchmarks.big_workspace /tmp/large
    python -m benchmarks.browse_speed /tmp/large

Bars: first view of any page on a warm server at most 1.5 s; from a filter's change to the new results
on the screen, p95 at most 400 ms. *First view* is counted from opening the address in a browser that
has the application's files cached to the end of drawing. *Results* are counted from the click to the
frame after the grid was redrawn. Beside it stand the queries alone, without Streamlit and browser.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from backend.domain.browse import BrowseFilter
from backend.store.browse import Browse
from backend.store.database import Database
from benchmarks.review_speed import quantile, serve

PAGES = ("overview", "datasets", "runs?run=1", "compare?a=1&b=2", "browse", "review", "curate?runs=1")
WATCH = """
() => {
  const find = () => {
    for (const element of document.querySelectorAll('*')) {
      const found = element.shadowRoot?.querySelector('.results');
      if (found) return found;
    }
  };
  const before = find()?.dataset.signature;
  window.changed = null;
  window.addEventListener('pointerdown', (event) => {
    const at = event.timeStamp;
    const look = () => {
      const now = find()?.dataset.signature;
      if (now && now !== before) requestAnimationFrame(() => { window.changed = performance.now() - at; });
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { once: true, capture: true });
}
"""
FILTERS = (
    BrowseFilter(effective="accepted"),
    BrowseFilter(effective="rejected", kind="image"),
    BrowseFilter(reason=("disagrees",), margin_min=4),
    BrowseFilter(flaw=("any",)),
    BrowseFilter(answer=("second",), sort="-margin"),
    BrowseFilter(sort="-length"),
    BrowseFilter(reviewed=True),
    BrowseFilter(dimension="Authenticity", score_min=5),
)


def drawn(page: Page) -> None:
    page.wait_for_selector("[data-testid='stApp']")
    page.wait_for_function(
        "() => document.querySelector('[data-testid=\"stApp\"]')"
        "?.getAttribute('data-test-script-state') === 'notRunning'"
        " && document.querySelector('h2, h3, .stMarkdown')"
    )


def first_views(page: Page, url: str, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name in PAGES:
            begun = time.perf_counter()
            page.goto(f"{url}/{name}")
            drawn(page)
            if number:  # the first round warms the server
                found.setdefault(name, []).append((time.perf_counter() - begun) * 1000)
    return found


def filter_changes(page: Page, url: str, rounds: int) -> list[float]:
    page.goto(f"{url}/browse?run=1")
    drawn(page)
    page.wait_for_timeout(2_000)
    clicks: list[Callable[[], None]] = []
    for _ in range(rounds):
        for word in ("rejected", "accepted"):
            clicks.append(lambda word=word: page.get_by_role("radio", name=word).first.click())
        clicks.append(lambda: page.get_by_role("radio", name="accepted").first.click())
    found = []
    for click in clicks:
        page.evaluate(WATCH)
        click()
        page.wait_for_function("() => window.changed !== null", timeout=20_000)
        found.append(float(page.evaluate("window.changed")))
        drawn(page)
        page.wait_for_timeout(150)
    return found


def queries(file: Path) -> list[tuple[str, float, float]]:
    browse = Browse(Database(file))
    rows = []
    for wanted in FILTERS:
        for measured in (False, True):  # once for the cache
            begun = time.perf_counter()
            browse.page(wanted)
            page = time.perf_counter() - begun
            begun = time.perf_counter()
            browse.count(wanted)
            count = time.perf_counter() - begun
            if measured:
                name = ", ".join(f"{k}={v}" for k, v in wanted.to_query().items())
                rows.append((name, page * 1000, count * 1000))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'query':46}{'page ms':>10}{'count ms':>10}")
    for name, one, two in queries(options.workspace / "winnow.db"):
        print(f"{name:46}{one:>10.0f}{two:>10.0f}")
    server, url = serve(options.workspace)
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
            page.set_default_timeout(120_000)
            views = first_views(page, url, options.rounds)
            changes = filter_changes(page, url, options.rounds * 4)
            browser.close()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
    print(f"\n{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"{'first view':24}{'n':>5}{'p50 ms':>10}{'max ms':>10}{'bar':>8}{'of bar':>9}")
    for name, values in views.items():
        print(
            f"{name:24}{len(values):>5}{quantile(values, 0.5):>10.0f}{max(values):>10.0f}{1500:>8}"
            f"{quantile(values, 0.5) / 1500:>9.2f}"
        )
    p95 = quantile(changes, 0.95)
    print(
        f"\n{'filter to results':24}{len(changes):>5} p50 {quantile(changes, 0.5):.0f} ms,"
        f" p95 {p95:.0f} ms, bar 400 ms, {p95 / 400:.2f} of it"
    )


if __name__ == "__main__":
    main()
