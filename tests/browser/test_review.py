"""Reviewing in a real browser: every ruling is stored once, on the pair that was on the screen."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from backend.curation.queues import Queues
from backend.store.reviews import Reviews
from backend.workspace import Workspace
from tests.browser.conftest import Server
from tests.browser.review_room import all_stored, drawn, enter, logged, make_queue, prediction, stored, type_keys
from tests.workspaces import build_workspace

pytestmark = pytest.mark.slow

Serve = Callable[[Path], Server]
Person = Callable[..., Page]


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return build_workspace(tmp_path / "ws", images=24, videos=1)


@pytest.mark.timeout(240)
def test_three_hundred_rulings_at_ten_a_second_are_stored_once_on_the_pair_on_screen(
    tmp_path: Path, serve: Serve, person: Person
) -> None:
    space = build_workspace(tmp_path / "many", images=110, videos=1)
    queue = make_queue(space, run_ids=(2,))  # every answer can be read, so that every key counts
    page = person()
    enter(page, serve(space.folder).url, queue)
    keys = list(itertools.islice(itertools.cycle("ar120fa2r1"), 300))
    type_keys(page, keys, per_second=10)
    all_stored(page)
    expected = logged(page)
    assert len(expected) == 300
    assert len({number for number, _, _ in expected}) == 300
    assert stored(space) == expected


def test_pairs_served_before_a_ruling_was_stored_do_not_come_again_after_it(
    tmp_path: Path, serve: Serve, person: Person
) -> None:
    space = build_workspace(tmp_path / "few", images=2, videos=1)
    page = person()
    queue = make_queue(space, run_ids=(2,))
    enter(page, serve(space.folder).url, queue, at=queue.items - 4)
    late: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if late:
            route.continue_()
        else:
            late.append((route, route.fetch()))

    # From the end on the page asks from the start again: for all that is not ruled on.
    page.route(re.compile(r"/items\?from=0&count"), hold)
    while not late:
        page.wait_for_timeout(100)
    assert len(late[0][1].json()["items"]) == queue.items
    type_keys(page, "ar1a", per_second=10)
    all_stored(page)
    route, answer = late[0]
    route.fulfill(response=answer)
    for _ in range(queue.items - 4):
        drawn(page)
        page.keyboard.press("r")
    all_stored(page)
    expect(page.locator(".room")).to_contain_text(f"All {queue.items} pairs are reviewed")
    rows = stored(space)
    assert rows == logged(page)
    assert len({number for number, _, _ in rows}) == len(rows) == queue.items


def test_what_was_not_stored_survives_a_reload(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    page.on("dialog", lambda dialog: dialog.accept())
    enter(page, serve(space.folder).url, make_queue(space))
    type_keys(page, "ar", per_second=5)
    all_stored(page)
    page.route("**/winnow/review/rulings", lambda route: route.abort())
    type_keys(page, "ar1", per_second=5)
    expect(page.locator(".mark")).to_contain_text("3 not stored")
    expected = logged(page)
    page.unroute("**/winnow/review/rulings")
    page.reload()
    drawn(page)
    all_stored(page)
    assert stored(space) == expected
    assert len(expected) == 5
    # The next pair is one that was not ruled on.
    type_keys(page, "a", per_second=5)
    all_stored(page)
    assert len({number for number, _, _ in stored(space)}) == 6


def test_leaving_with_something_unstored_warns(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    page.route("**/winnow/review/rulings", lambda route: route.abort())
    page.keyboard.press("a")
    expect(page.locator(".mark")).to_contain_text("1 not stored")
    asked: list[str] = []

    def answer(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.accept()  # type: ignore[attr-defined]

    page.on("dialog", answer)
    page.close(run_before_unload=True)
    page.wait_for_event("close")
    assert asked == ["beforeunload"]


def test_a_killed_server_loses_no_ruling_and_no_key(space: Workspace, serve: Serve, person: Person) -> None:
    server = serve(space.folder)
    page = person()
    enter(page, server.url, make_queue(space))
    type_keys(page, "arar", per_second=8)
    server.kill()
    type_keys(page, "a1r2", per_second=4)
    expect(page.locator(".mark")).to_contain_text("not stored")
    server.start()
    all_stored(page)
    expected = logged(page)
    assert stored(space) == expected
    assert len(expected) == 8
    # The room is still there, and goes on.
    drawn(page)
    type_keys(page, "a", per_second=5)
    all_stored(page)
    assert len(stored(space)) == 9


def test_an_answer_that_is_lost_on_its_way_does_not_store_twice(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    lost: list[int] = []

    def lose(route: object) -> None:
        if len(lost) < 2:
            lost.append(route.fetch().status)  # type: ignore[attr-defined]
            route.abort()  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    page.route("**/winnow/review/rulings", lose)
    type_keys(page, "ar", per_second=10)
    all_stored(page)
    assert lost == [200, 200]
    assert stored(space) == logged(page)


def test_two_reviewers_on_one_queue_rule_on_different_pairs(space: Workspace, serve: Serve, person: Person) -> None:
    server = serve(space.folder)
    queue = make_queue(space, run_ids=(2,))
    ada, bob = person(), person()
    enter(ada, server.url, queue, "Ada")
    enter(bob, server.url, queue, "Bob")
    for _ in range(15):
        ada.keyboard.press("a")
        bob.keyboard.press("r")
    all_stored(ada)
    all_stored(bob)
    rows = stored(space)
    assert len(rows) == 30
    assert len({number for number, _, _ in rows}) == 30
    assert {row[1] for row in rows} == {"accept", "reject"}


def test_who_comes_second_to_a_small_queue_finds_something_left(space: Workspace, serve: Serve, person: Person) -> None:
    queue = make_queue(space, run_ids=(1,))
    assert queue.items <= 24
    server = serve(space.folder)
    ada, ben = person(), person()
    enter(ada, server.url, queue, "Ada")
    ada.wait_for_timeout(1_000)  # she has fetched ahead what she wants
    enter(ben, server.url, queue, "Ben")
    assert prediction(ada) != prediction(ben)


def test_two_independent_rulings_are_blind_to_each_other(space: Workspace, serve: Serve, person: Person) -> None:
    server = serve(space.folder)
    queue = make_queue(space, run_ids=(1,), rulings_wanted=2)
    ada, bob = person(), person()
    enter(ada, server.url, queue, "Ada")
    ada.keyboard.press("r")
    all_stored(ada)
    enter(bob, server.url, queue, "Bob")
    assert prediction(bob) == stored(space)[0][0]
    expect(bob.locator(".verdict")).not_to_contain_text("Ada")
    bob.keyboard.press("a")
    all_stored(bob)
    assert Queues(space.database).progress(queue, "Bob")[:2] == (1, 1)


def test_undo_brings_the_pair_back(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    shown = prediction(page)
    type_keys(page, "r", per_second=5)
    assert prediction(page) != shown
    page.keyboard.press("u")
    assert prediction(page) == shown
    all_stored(page)
    assert [row[1] for row in stored(space)] == ["reject", "undo"]
    with space.database.read() as connection:
        verdict = Reviews(space.database).verdicts_of(connection, [shown])[shown]
    assert (verdict.ruling, verdict.effective) == (None, verdict.decision)
    page.keyboard.press("a")
    all_stored(page)
    assert stored(space)[-1][:2] == (shown, "accept")


def test_blind_shows_nothing_before_the_choice_and_the_agreement_after(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    sent: list[str] = []
    page.on("response", lambda one: sent.append(one.text()) if "/items?" in one.url else None)
    room = enter(page, serve(space.folder).url, make_queue(space, run_ids=(1,), blind=True))
    shown = prediction(page)
    # The server keeps it back; it is not only out of sight.
    assert sent
    for words in ("think", "preferred", "answer", "accepted", '"order"'):
        assert words not in "".join(sent)
    for words in ("judge", "accepted", "<think>", "Semantic"):
        expect(room).not_to_contain_text(words)
    page.keyboard.press("a")
    expect(page.locator(".alert")).to_contain_text("say first which is better")
    page.keyboard.press("2")
    expect(page.locator(".own")).to_contain_text("agrees with neither judge nor label")
    expect(page.locator(".reasoning")).to_contain_text("<think>")
    assert prediction(page) == shown
    all_stored(page)
    assert stored(space) == [(shown, "relabel", "second")]
    page.keyboard.press("Enter")
    assert prediction(page) != shown
    expect(room).not_to_contain_text("<think>")


def test_a_blind_queue_goes_on_at_once_and_opens_each_verdict_when_its_ruling_is_stored(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(1,), blind=True))
    first = prediction(page)
    page.route("**/winnow/review/rulings", lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.locator(".verdict")).to_contain_text("as soon as your ruling is stored")
    page.keyboard.press("a")
    expect(page.locator(".alert")).to_contain_text("not here yet")
    page.keyboard.press("Enter")
    assert prediction(page) != first
    page.keyboard.press("2")
    expect(page.locator(".reasoning")).not_to_contain_text("<think>")
    page.unroute("**/winnow/review/rulings")
    all_stored(page)
    expect(page.locator(".reasoning")).to_contain_text("<think>")
    page.keyboard.press("ArrowLeft")
    assert prediction(page) == first
    expect(page.locator(".own")).to_contain_text("agrees with")
    expect(page.locator(".reasoning")).to_contain_text("<think>")
    assert [row[1:] for row in stored(space)] == [("relabel", "first"), ("relabel", "second")]


def test_keys_are_off_while_one_writes_and_the_note_goes_with_the_ruling(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    shown = prediction(page)
    page.keyboard.press("n")
    page.keyboard.type("a rare fruit", delay=5)
    page.keyboard.press("Enter")
    page.keyboard.press("t")
    page.keyboard.type("hands, fur", delay=5)
    page.keyboard.press("Escape")
    assert prediction(page) == shown
    page.keyboard.press("f")
    all_stored(page)
    [row] = Reviews(space.database).history(shown)
    assert (row.ruling, row.note, row.tags) == ("flag", "a rare fruit", ("hands", "fur"))


def test_every_ruling_can_be_made_with_the_mouse(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    names = ["Accept", "Reject", "First is better", "Second is better", "Tie", "Flag for another look"]
    for name in names:
        button = page.get_by_role("button", name=name, exact=True)
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 32
        button.click()
    # The focus is not left on a button that Space would press again.
    page.keyboard.press("Enter")
    all_stored(page)
    expected = ["accept", "reject", "relabel", "relabel", "relabel", "flag"]
    assert [row[1] for row in stored(space)] == expected


def test_a_key_without_a_pair_on_the_screen_is_refused_visibly(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    queue = make_queue(space, run_ids=(1,))
    enter(page, serve(space.folder).url, queue, at=queue.items - 1)
    page.route("**/items?*", lambda route: route.abort())
    for _ in range(queue.items + 1):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    expect(page.locator(".alert")).to_be_visible()
    assert stored(space) == []


def test_the_url_restores_the_place_and_a_jump_goes_anywhere(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    page.keyboard.press("j")
    page.keyboard.type("17")
    page.keyboard.press("Enter")
    expect(page.locator(".room")).to_have_attribute("data-position", "16")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".room")).to_have_attribute("data-position", "17")
    page.wait_for_url("**at=17*")
    page.reload()
    drawn(page)
    expect(page.locator(".room")).to_have_attribute("data-position", "17")


def test_a_key_that_was_remapped_stays_so(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    page.keyboard.press("?")
    page.get_by_role("button", name="Accept: A", exact=False).click()
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    page.reload()
    drawn(page)
    page.keyboard.press("a")
    page.keyboard.press("k")
    all_stored(page)
    assert [row[1] for row in stored(space)] == ["accept"]


def test_a_key_that_is_taken_is_refused_and_the_usual_keys_come_back(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    page.keyboard.press("?")
    page.get_by_role("button", name="Accept: A", exact=False).click()
    page.keyboard.press("r")
    expect(page.locator(".sheet")).to_contain_text("R is taken by “Reject”")
    expect(page.get_by_role("button", name="Accept: A", exact=False)).to_be_visible()
    page.get_by_role("button", name="Accept: A", exact=False).click()
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Accept: K", exact=False)).to_be_visible()
    page.get_by_role("button", name="Usual keys").click()
    expect(page.get_by_role("button", name="Accept: A", exact=False)).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("r")
    page.keyboard.press("a")
    all_stored(page)
    assert [row[1] for row in stored(space)] == ["reject", "accept"]


def test_another_order_shows_its_own_sides_and_takes_no_ruling(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(2,)))
    first = page.locator(".pane.first img").get_attribute("src")
    second = page.locator(".pane.second img").get_attribute("src")
    page.get_by_role("tab", name="sample 1, swapped order", exact=False).click()
    expect(page.locator(".pane.first img")).to_have_attribute("src", str(second))
    expect(page.locator(".pane.second img")).to_have_attribute("src", str(first))
    page.keyboard.press("1")
    expect(page.locator(".alert")).to_contain_text("another sample")
    page.keyboard.press("Escape")
    expect(page.locator(".pane.first img")).to_have_attribute("src", str(first))
    assert stored(space) == []
