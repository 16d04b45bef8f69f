"""Hostile texts on every page in a real browser: they show as text and run nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.conftest import Server, settled
from tests.workspaces import build_hostile_workspace

PAGES = (
    "",
    "datasets",
    "runs?run=1",
    "runs?run=1&tab=analysis",
    "compare?a=1&b=2",
    "browse",
    "browse?reviewed=yes",
    "review",
    "curate?runs=1,2",
)


def test_no_page_runs_or_fetches_what_a_text_says(
    serve: Callable[[Path], Server], person: Callable[..., Page], tmp_path: Path
) -> None:
    build_hostile_workspace(tmp_path / "ws").close()
    server = serve(tmp_path / "ws")
    page = person()
    asked: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        settled(page)
        page.wait_for_timeout(300)
        assert page.evaluate("window.pwned") is None, path
        assert page.locator("img[src='x']").count() == 0, path
        assert page.locator("a[href^='javascript']").count() == 0, path
        # Nor is a bare address in a name, or in a caption, something to be clicked on.
        assert page.locator("a[href*='example.invalid']").count() == 0, path
    assert dialogs == []
    assert not [url for url in asked if "example.invalid" in url]
