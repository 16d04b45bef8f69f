"""A real browser, while the database is away and when it is back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.curation.rulings import Rulings
from tests.browser.conftest import Server
from tests.browser.review_room import all_stored, enter, make_queue
from tests.postgres import Server as Postgres
from tests.workspaces import build_workspace

SLOW_MS = 60_000
"""A busy machine."""


def test_a_page_comes_back_by_itself_and_a_ruling_made_meanwhile_is_stored_once(
    postgres: Postgres,
    serve: Callable[[Path], Server],
    person: Callable[..., Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WINNOW_DATABASE_URL", postgres.new())
    space = build_workspace(tmp_path / "ws", images=4, videos=1)
    queue = make_queue(space, run_ids=(1,))
    server = serve(space.folder)
    reviewer, looking = person(), person()
    for page in (reviewer, looking):
        page.set_default_timeout(SLOW_MS)
    room = enter(reviewer, server.url, queue)
    ruled = int(room.get_attribute("data-prediction") or 0)
    looking.goto(f"{server.url}/runs?run=1")
    expect(looking.get_by_text("judge-a").first).to_be_visible(timeout=SLOW_MS)
    postgres.stop()
    try:
        reviewer.keyboard.press("r")
        expect(room).to_have_attribute("data-pending", "1", timeout=SLOW_MS)
        expect(reviewer.get_by_text("1 not stored").first).to_be_visible(timeout=SLOW_MS)
        looking.get_by_role("link", name="Browse").first.click()
        expect(looking.get_by_text("does not answer just now").first).to_be_visible(timeout=SLOW_MS)
    finally:
        postgres.start()
    all_stored(reviewer)
    expect(looking.get_by_text("does not answer just now")).to_have_count(0, timeout=SLOW_MS)
    expect(looking.get_by_text("number 0").first).to_be_visible(timeout=SLOW_MS)
    history = Rulings(space.database).history(ruled)
    assert [(row.ruling, row.reviewer) for row in history] == [("reject", "Ada")]
    assert "Traceback" not in server.log.read_text()
    space.close()
