"""Blind review in a real browser: what a key does once a verdict has opened, and what shows before."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from backend.curation.queues import Queues, Sent
from backend.store.reviews import Reviews
from backend.workspace import Workspace
from tests.browser.conftest import Server
from tests.browser.review_room import all_stored, drawn, enter, make_queue, prediction, stored
from tests.workspaces import build_workspace

pytestmark = pytest.mark.slow

Serve = Callable[[Path], Server]
Person = Callable[..., Page]


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return build_workspace(tmp_path / "ws", images=6, videos=1)


def marks(space: Workspace, number: int) -> list[tuple[str, str | None, bool | None]]:
    history = Reviews(space.database).history(number)
    return [(row.ruling, row.relabel, row.unblinded) for row in history]


@pytest.mark.timeout(240)
def test_on_an_opened_pair_only_enter_next_undo_and_an_explicit_change_do_anything(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(1,), blind=True))
    own, alert, verdict = page.locator(".own"), page.locator(".alert"), page.locator(".verdict")
    first = prediction(page)
    page.keyboard.press("1")
    expect(page.locator(".reasoning")).to_contain_text("<think>")
    # Keys that were meant for the next pair, by key and by mouse: neither its ruling nor a new one here.
    for key in "20arf":
        page.keyboard.press(key)
        expect(alert).to_contain_text("Enter goes on, U takes it back, C changes your mind")
    page.get_by_role("button", name="Second is better", exact=True).click()
    all_stored(page)
    assert prediction(page) == first
    assert marks(space, first) == [("relabel", "first", False)]
    # A changed mind is its own: two keys, marked, and the way out keeps what was said.
    page.keyboard.press("c")
    expect(own).to_contain_text("Changing your mind")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(alert).to_contain_text("C changes your mind")
    page.keyboard.press("c")
    page.keyboard.press("r")
    expect(own).to_contain_text("said with the verdict open")
    all_stored(page)
    assert prediction(page) == first
    assert marks(space, first) == [("relabel", "first", False), ("reject", None, True)]
    page.keyboard.press("a")
    expect(alert).to_contain_text("C changes your mind")
    # The next pair takes its keys at once, and the arrow goes on as well.
    page.keyboard.press("Enter")
    second = prediction(page)
    assert second != first
    expect(verdict).to_contain_text("Choose first")
    page.keyboard.press("2")
    expect(page.locator(".reasoning")).to_contain_text("<think>")
    page.keyboard.press("ArrowRight")
    assert prediction(page) not in (first, second)
    # Back there, and after a reload, it is an opened pair still.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("1")
    expect(alert).to_contain_text("C changes your mind")
    all_stored(page)
    page.reload()
    drawn(page)
    page.keyboard.press("1")
    expect(alert).to_contain_text("C changes your mind")
    # Undo takes the ruling back and closes the verdict; what is said then is marked all the same.
    page.keyboard.press("u")
    expect(verdict).to_contain_text("You have seen this verdict")
    page.keyboard.press("1")
    expect(own).to_contain_text("said with the verdict open")
    all_stored(page)
    assert marks(space, second) == [("relabel", "second", False), ("undo", None, True), ("relabel", "first", True)]
    assert len(stored(space)) == 5


@pytest.mark.timeout(240)
def test_who_chose_to_be_blind_does_not_replace_what_they_said_either(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(1,)))
    page.keyboard.press("b")
    first = prediction(page)
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator(".alert")).to_contain_text("C changes your mind")
    page.keyboard.press("c")
    page.keyboard.press("2")
    all_stored(page)
    assert marks(space, first) == [("relabel", "first", False), ("relabel", "second", True)]
    page.keyboard.press("Enter")
    page.keyboard.press("b")
    # With the verdict in view from the start a second ruling on a pair is simply the newer one.
    page.keyboard.press("a")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("r")
    all_stored(page)
    assert [row[1] for row in stored(space)][-2:] == ["accept", "reject"]


@pytest.mark.timeout(240)
def test_a_blind_room_shows_no_colleagues_figures_and_never_their_ruling_as_ones_own(
    space: Workspace, serve: Serve, person: Person
) -> None:
    queue = make_queue(space, "audit_accepted", run_ids=(1,), blind=True, rulings_wanted=2)
    queues = Queues(space.database)
    slots = queues.hand_out(queue, "Bob", start=0, count=60).slots

    def bob(place: int, token: str) -> None:
        queues.rule(
            "Bob",
            [
                Sent(
                    token=token,
                    queue_id=queue.id,
                    position=place,
                    ruling="relabel",
                    prediction_id=slots[place].prediction_id,
                    relabel="tie",
                )
            ],
        )

    for place in range(2):
        bob(place, f"b{place}")
    queues.release(queue, "Bob", 4e9)
    page = person()
    told: list[str] = []
    page.on("response", lambda one: told.append(one.text()) if "/stats" in one.url else None)
    room = enter(page, serve(space.folder).url, queue)
    expect(page.locator(".audit")).to_contain_text("Yours alone")
    for word in ("reviewers agree", "that stand", "Bob", "precision"):
        expect(room).not_to_contain_text(word)
    assert told
    assert all('"rulings": 0' in one for one in told)
    # Bob rules again while Ada's own ruling is on its way to her screen.
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"/predictions/\d+\?brief=1"), hold)
    page.keyboard.press("1")
    all_stored(page)
    while not held:
        page.wait_for_timeout(50)
    bob(0, "b9")
    held[0].continue_()
    decision = page.locator(".decision")
    expect(decision).to_contain_text("Bob: Tie")
    expect(decision).not_to_contain_text("by you")
    expect(page.locator(".own")).to_contain_text("you: Image 1 is better")
