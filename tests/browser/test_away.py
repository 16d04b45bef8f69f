"""A server that ends while pages are open: what they say, and that they go on by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, settled
from tests.browser.review_room import all_stored, enter, make_queue, prediction, stored
from tests.workspaces import build_workspace

pytestmark = pytest.mark.slow
BACK_MS = 60_000
"""Streamlit looks for its server at growing intervals."""


def outage_over(page: Page) -> None:
    expect(page.locator(".away")).to_be_hidden(timeout=BACK_MS)
    settled(page)


def test_pages_say_what_is_stored_and_what_waits_and_lose_nothing(
    tmp_path: Path, serve: Callable[[Path], Server], person: Callable[..., Page]
) -> None:
    space = build_workspace(tmp_path / "ws", images=12, videos=1)
    queue = make_queue(space)
    server = serve(tmp_path / "ws")
    room, runs = person(), person(scheme="dark", width=480)
    enter(room, server.url, queue)
    runs.goto(f"{server.url}/runs?run=1&tab=settings")
    settled(runs)
    room.keyboard.press("a")
    all_stored(room)
    expect(room.locator(".away")).to_be_hidden()

    server.kill()
    for key in "ra":
        before = prediction(room)
        room.keyboard.press(key)
        room.wait_for_function("(last) => Number(roomOf().dataset.prediction) !== last", arg=before)
    said = room.locator(".away")
    expect(said).to_be_visible(timeout=BACK_MS)
    expect(said).to_contain_text("acknowledged is stored")
    expect(said).to_contain_text("2 rulings are kept in this browser")
    expect(said).to_contain_text("goes on by itself")
    expect(runs.locator(".away")).to_contain_text("No ruling waits", timeout=BACK_MS)
    # By then Streamlit would have shown its own.
    runs.wait_for_timeout(4_000)
    for page in (room, runs):
        assert page.locator(".stDialog:visible").count() == 0
    # The keys are still the room's.
    before = prediction(room)
    room.keyboard.press("f")
    room.wait_for_function("(last) => Number(roomOf().dataset.prediction) !== last", arg=before)
    expect(said).to_contain_text("3 rulings are kept")

    server.start()
    for page in (room, runs):
        outage_over(page)
    all_stored(room)
    assert [ruling for _, ruling, _ in stored(space)] == ["accept", "reject", "accept", "flag"]
    expect(runs).to_have_url(f"{server.url}/runs?run=1&tab=settings")
    expect(runs.get_by_role("heading", name="Run 1")).to_be_visible()
    space.close()
