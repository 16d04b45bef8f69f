"""What the review room shows and keeps: notes, orders, decisions, messages, its place on the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.curation.rulings import Rulings
from backend.store.people import People
from backend.store.reviews import Reviews
from backend.workspace import Workspace
from tests.browser.conftest import Server
from tests.browser.review_room import all_stored, drawn, enter, make_queue, prediction, stored
from tests.workspaces import build_workspace

pytestmark = pytest.mark.slow

Serve = Callable[[Path], Server]
Person = Callable[..., Page]
Box = dict[str, float]

FOCUSED = "() => window.roomOf().getRootNode().activeElement?.getAttribute('aria-label') ?? ''"
OVERFLOW = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return [main.scrollHeight - main.clientHeight, main.scrollWidth - main.clientWidth];
}"""


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return build_workspace(tmp_path / "ws", images=8, videos=1)


def box(found: Locator) -> Box:
    return dict(found.evaluate("(one) => one.getBoundingClientRect().toJSON()"))


def overlapping(found: Locator) -> list[tuple[str, str]]:
    """Pairs of these elements that lie over each other."""
    boxes: list[dict[str, Any]] = found.evaluate_all(
        "(all) => all.map((one) => [one.dataset.act || one.dataset.id, one.getBoundingClientRect()])"
        ".filter(([, box]) => box.width).map(([name, box]) => ({ name, ...box.toJSON() }))"
    )
    return [
        (a["name"], b["name"])
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if min(a["right"], b["right"]) - max(a["left"], b["left"]) > 1
        and min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) > 1
    ]


@pytest.mark.timeout(240)
def test_a_note_on_a_ruled_pair_is_stored_on_moving_on_and_a_draft_waits_for_its_ruling(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(1,)))
    mark, note = page.locator(".mark"), page.get_by_label("Note")
    ruled = prediction(page)
    page.keyboard.press("a")
    page.keyboard.press("ArrowLeft")
    assert prediction(page) == ruled
    all_stored(page)
    # What a colleague has ruled in the meantime stays in force.
    space.rulings.add(ruled, "reject", reviewer="Bob")
    # By mouse alone, and the next key is the room's.
    note.click()
    page.keyboard.type("look at the hands")
    expect(mark).to_have_text("1 note not stored")
    page.get_by_role("button", name="Next pair").click()
    expect(mark).to_have_text("stored")
    all_stored(page)
    assert prediction(page) != ruled
    first, _, second = Reviews(space.database).history(ruled)
    assert (first.ruling, first.note) == ("accept", "")
    assert (second.ruling, second.note) == ("note", "look at the hands")
    assert [row["ruling"] for row in space.predictions.iter_rows(1) if row["id"] == ruled] == ["reject"]
    # Enter stores as well, and stays.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("t")
    page.keyboard.type("hands")
    page.keyboard.press("Enter")
    all_stored(page)
    assert prediction(page) == ruled
    assert Reviews(space.database).history(ruled)[-1].tags == ("hands",)
    # One's own ruling has its words after a reload, too.
    page.reload()
    drawn(page)
    assert prediction(page) == ruled
    expect(note).to_have_value("look at the hands")
    # A pair without a ruling keeps its draft: over other pairs, and over a reload that warns.
    page.keyboard.press("ArrowRight")
    unruled = prediction(page)
    page.keyboard.press("n")
    page.keyboard.type("not sure yet")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    expect(note).to_have_value("")
    expect(mark).to_have_text("1 note not stored")
    page.keyboard.press("ArrowLeft")
    page.reload()
    assert asked == ["beforeunload"]
    drawn(page)
    assert prediction(page) == unruled
    expect(note).to_have_value("not sure yet")
    expect(mark).to_have_text("1 note not stored")
    page.keyboard.press("r")
    all_stored(page)
    expect(mark).to_have_text("stored")
    [row] = Reviews(space.database).history(unruled)
    assert (row.ruling, row.note) == ("reject", "not sure yet")
    # Undone, the pair has its words still.
    page.keyboard.press("u")
    expect(note).to_have_value("not sure yet")


@pytest.mark.timeout(240)
def test_nothing_lies_over_anything_and_the_page_does_not_scroll(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(3,)))
    page.locator(".pane.first video").wait_for()
    for width, height in ((1024, 768), (1180, 800), (1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(200)
        assert overlapping(page.locator(".tools button, .tools input")) == [], width
        tools, card = box(page.locator(".tools")), box(page.locator(".card"))
        edges = page.locator(".tools button").evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect().right)"
        )
        assert max(edges) <= tools["right"] + 1 < card["left"], width
        assert page.evaluate(OVERFLOW) == [0, 0], width


@pytest.mark.timeout(240)
def test_the_shown_order_is_always_clear_and_its_tabs_follow_the_keyboard(
    space: Workspace, serve: Serve, person: Person
) -> None:
    page = person(width=1024, height=768)
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(2,)))
    here, said = prediction(page), page.locator(".say").first
    expect(said).to_have_text("dataset order")
    width = box(page.locator(".side.one"))["width"]
    tab = page.get_by_role("tab", name="sample 1, dataset order", exact=False)
    tab.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert prediction(page) == here
    assert page.evaluate(FOCUSED).startswith("sample 1, swapped order")
    page.keyboard.press("Enter")
    expect(said).to_have_text("swapped order")
    expect(page.locator(".side.one")).to_have_text("Image 1")
    assert box(page.locator(".side.one"))["width"] == pytest.approx(width, abs=0.5)
    assert said.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert page.evaluate(FOCUSED).startswith("sample 1, swapped order")
    selected = page.get_by_role("tab", selected=True)
    expect(selected).to_have_attribute("tabindex", "0")
    expect(selected).to_have_count(1)
    page.get_by_role("button", name="Back to the sample to rule on").click()
    expect(said).to_have_text("dataset order")
    # Zoom by keyboard and by mouse.
    zoom = page.locator(".looks [data-id=zoom]")
    page.locator(".room").focus()
    page.keyboard.press("+")
    expect(zoom).to_have_text("150 %")
    page.get_by_role("button", name="Zoom in").click()
    expect(zoom).to_have_text("225 %")
    before = page.locator(".zoom").first.evaluate("(one) => one.style.transform")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".zoom").first.evaluate("(one) => one.style.transform") != before
    page.keyboard.press("-")
    page.keyboard.press("-")
    expect(zoom).to_have_text("100 %")
    assert prediction(page) == here
    # A message covers nothing, moves nothing, and goes with the next thing one does.
    stage, alert = box(page.locator(".stage")), page.locator(".alert")
    page.keyboard.press(" ")
    expect(alert).to_contain_text("no video")
    assert box(page.locator(".stage")) == stage
    assert box(alert)["bottom"] <= box(page.locator(".body"))["top"]
    page.keyboard.press("ArrowRight")
    expect(alert).to_be_hidden(timeout=1_000)


@pytest.mark.timeout(240)
def test_an_overruled_pair_shows_the_decision_that_counts_and_what_it_replaced(
    space: Workspace, serve: Serve, person: Person
) -> None:
    server = serve(space.folder)
    queue = make_queue(space, run_ids=(1,))
    Rulings(space.database).add(2, "relabel", relabel="second", reviewer="Bob")
    page = person()
    enter(page, server.url, make_queue(space, run_ids=(1,), blind=True), "Ada")
    page.keyboard.press("?")
    page.get_by_role("button", name="Accept: A", exact=False).click()
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Accept: K", exact=False)).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    alert = page.locator(".alert")
    expect(alert).to_contain_text("say first which is better")
    page.keyboard.press("2")
    expect(alert).to_be_hidden(timeout=1_000)
    all_stored(page)
    page.goto(f"{server.url}/review?queue={queue.id}")
    drawn(page)
    decision = page.locator(".decision")
    # Ada has ruled on the first pair, in the other queue: here she is one reviewer like others.
    expect(decision).to_contain_text("by you")
    page.keyboard.press("ArrowRight")
    assert prediction(page) == 2
    expect(decision).to_contain_text("rejected")
    expect(decision).to_contain_text("Bob: Image 2 is better")
    expect(decision).to_contain_text("replaces the filter's accepted (agrees)")
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")
    expect(decision).to_contain_text("confirms the filter's accepted")
    all_stored(page)
    page.reload()
    drawn(page)
    expect(decision).to_contain_text("confirms the filter's accepted")
    page.keyboard.press("u")
    expect(decision).to_contain_text("Bob: Image 2 is better")
    all_stored(page)
    assert [row[1] for row in stored(space)][-2:] == ["accept", "undo"]
    # A key that was changed in a blind queue says nothing about one's own liking.
    assert People(space.database).settings("Ada")["review"] == {"keys": {"accept": "k"}}


@pytest.mark.timeout(240)
def test_the_room_says_on_demand_which_rule_read_what(space: Workspace, serve: Serve, person: Person) -> None:
    page = person()
    enter(page, serve(space.folder).url, make_queue(space, run_ids=(1,)))
    page.get_by_role("button", name="How this was read").click()
    expect(page.locator("dl.readby")).to_contain_text("by “is better”")
