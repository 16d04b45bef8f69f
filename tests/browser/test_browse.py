"""Browse in a real browser: keys, links, the way back, the table, bulk rulings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.domain.browse import BrowseFilter
from backend.store.browse import Browse
from backend.workspace import Workspace
from tests.browser.conftest import Server, settled
from tests.workspaces import build_workspace

Person = Callable[..., Page]


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return build_workspace(tmp_path / "ws", videos=3)


@pytest.fixture
def url(space: Workspace, serve: Callable[[Path], Server]) -> str:
    return serve(space.folder).url


def cards(page: Page) -> Locator:
    return page.locator(".results .card")


def shown(page: Page, count: int) -> None:
    """Wait for results and their number."""
    expect(page.get_by_text(re.compile(rf"^{count:,} match(es)?$"))).to_be_visible()
    settled(page)


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def say_name(page: Page, name: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Go on").click()


def test_arrow_keys_and_enter_open_a_pair_and_back_returns_to_the_same_place(
    space: Workspace, url: str, person: Person
) -> None:
    page = person()
    page.goto(f"{url}/browse?run=1&effective=accepted")
    expected = [hit.id for hit in Browse(space.database).page(BrowseFilter(run=(1,), effective="accepted"))]
    shown(page, len(expected))
    cards(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    focused = page.locator(".results .card:focus .caption").text_content()
    assert focused == Browse(space.database).page(BrowseFilter(run=(1,), effective="accepted"))[2].prompt
    page.keyboard.press("Enter")
    page.wait_for_url("**/review?*")
    say_name(page, "Ada")
    room = page.locator(".room[data-prediction]")
    expect(room).to_have_attribute("data-prediction", str(expected[2]))
    page.go_back()
    page.wait_for_url("**/browse?*")
    shown(page, len(expected))
    assert query(page)["run"] == "1"
    assert query(page)["focus"] == str(expected[2])
    expect(page.locator(".results .card[tabindex='0'] .caption")).to_have_text(focused)
    expect(page.locator(".results .card:focus .caption")).to_have_text(focused)


def test_a_change_of_filter_is_in_the_address_and_survives_a_reload(space: Workspace, url: str, person: Person) -> None:
    page = person()
    page.goto(f"{url}/browse")
    browse = Browse(space.database)
    shown(page, browse.count(BrowseFilter()))
    page.get_by_role("radio", name="videos").click()
    shown(page, 3)
    page.get_by_role("radio", name="accepted").click()
    both = BrowseFilter(kind="video", effective="accepted")
    shown(page, browse.count(both))
    assert query(page) == {"kind": "video", "effective": "accepted"}
    page.reload()
    shown(page, browse.count(both))
    expect(cards(page)).to_have_count(browse.count(both))
    page.get_by_role("button", name="medium: video").click()
    shown(page, browse.count(BrowseFilter(effective="accepted")))
    page.go_back()
    shown(page, browse.count(both))


def test_words_are_searched_in_captions_and_reasoning(space: Workspace, url: str, person: Person) -> None:
    page = person()
    page.goto(f"{url}/browse?run=1")
    shown(page, 24)
    field = page.get_by_label("Text in caption or reasoning")
    browse = Browse(space.database)
    browse.words_index.catch_up(60)
    for words in ("number 7", "artefacts", "number 13", "<b>nothing</b>"):
        field.fill(words)
        field.press("Enter")
        shown(page, browse.count(BrowseFilter(run=(1,), text=words)))
    expect(page.get_by_text("No prediction matches")).to_be_visible()


def test_the_table_shows_the_same_results_and_opens_by_mouse(space: Workspace, url: str, person: Person) -> None:
    page = person()
    page.goto(f"{url}/browse?run=1&sort=-margin")
    shown(page, 24)
    page.get_by_role("radio", name="table").click()
    rows = page.locator(".results .row")
    expect(rows).to_have_count(24)
    best = Browse(space.database).page(BrowseFilter(run=(1,), sort="-margin"))[0]
    expect(rows.first).to_contain_text(best.prompt)
    rows.first.click()
    page.wait_for_url("**/review?*")
    say_name(page, "Ada")
    expect(page.locator(".room")).to_have_attribute("data-prediction", str(best.id))


def test_a_broken_file_is_a_placard_and_the_other_side_stays(space: Workspace, url: str, person: Person) -> None:
    hit = Browse(space.database).page(BrowseFilter(run=(1,)))[0]
    (space.folder / "media" / "t2i" / "000-win.jpg").write_bytes(b"no image")
    page = person()
    page.goto(f"{url}/browse?run=1")
    shown(page, 24)
    card = cards(page).filter(has_text=hit.prompt).first
    expect(card.locator(".side.broken")).to_have_count(1)
    expect(card.locator(".side:not(.broken) img")).to_have_js_property("complete", True)


def test_pages_go_forward_and_back_without_losing_a_match(space: Workspace, url: str, person: Person) -> None:
    page = person()
    page.goto(f"{url}/browse?run=2&sort=-margin")
    browse = Browse(space.database)
    wanted = BrowseFilter(run=(2,), sort="-margin")
    everything = [hit.prompt for hit in browse.page(wanted, limit=1000)]
    shown(page, 96)
    expect(cards(page)).to_have_count(48)
    first = cards(page).locator(".caption").all_text_contents()
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("() => location.search.includes('after=')")
    expect(cards(page).last.locator(".caption")).to_have_text(everything[-1])
    second = cards(page).locator(".caption").all_text_contents()
    assert first + second == everything
    page.reload()
    settled(page)
    expect(cards(page).first.locator(".caption")).to_have_text(second[0])
    page.get_by_role("button", name="First page").click()
    expect(cards(page).first.locator(".caption")).to_have_text(first[0])


def test_all_matches_are_ruled_on_in_one_go_and_taken_back(space: Workspace, url: str, person: Person) -> None:
    """The form stays open while it is filled in: it is opened once here."""
    page = person()
    page.goto(f"{url}/browse?run=1&effective=accepted")
    browse = Browse(space.database)
    accepted = BrowseFilter(run=(1,), effective="accepted")
    count = browse.count(accepted)
    shown(page, count)
    page.get_by_role("button", name="Who are you?").click()
    page.get_by_label("Your name, for rulings").fill("Ada")
    page.get_by_role("button", name="Keep", exact=True).click()
    shown(page, count)
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    page.get_by_role("button", name="Rule on all").click()
    form = page.get_by_test_id("stPopoverBody").filter(has_text="Ruling")
    form.get_by_text("Reject all", exact=True).click()
    settled(page)
    form.get_by_label("Note").fill("a bad day")
    form.get_by_label("Note").press("Enter")
    settled(page)
    form.get_by_text(f"Yes, all {count} matches, not only this page").click()
    settled(page)
    form.get_by_role("button", name=f"Reject all {count}").click()
    expect(page.get_by_text(f"You rejected {count} predictions at once.")).to_be_visible()
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    expect(page.get_by_text("No prediction matches")).to_be_visible()
    rejected = BrowseFilter(run=(1,), ruling=("reject",), reviewer="Ada")
    assert browse.count(rejected) == count
    page.get_by_role("button", name="Undo all of it").click()
    shown(page, count)
    assert browse.count(rejected) == 0
    assert browse.count(accepted) == count


def test_the_table_fits_and_says_everything_on_every_screen(space: Workspace, url: str, person: Person) -> None:
    hit = Browse(space.database).page(BrowseFilter(run=(1,)))[0]
    space.rulings.add(hit.id, "relabel", relabel="tie", reviewer="Ada")
    page = person(width=1280)
    page.goto(f"{url}/browse?run=1&view=table")
    rows = page.locator(".results .row")
    for width in (1920, 1280, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        expect(rows).to_have_count(24)
        caption = rows.first.locator(".caption").bounding_box()
        assert caption is not None
        assert caption["width"] >= 96, width
        expect(rows.first.get_by_text("neither is better, says Ada").locator("visible=true")).to_be_visible()
        table = page.locator(".results").bounding_box()
        assert table is not None
        assert table["x"] + table["width"] <= width
        heads = page.locator(".results th").evaluate_all(
            "all => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
        )
        assert heads == [], width
        main = page.get_by_test_id("stMain")
        assert main.evaluate("one => one.scrollWidth <= one.clientWidth"), width
    page.reload()
    expect(rows).to_have_count(24)


def test_a_name_is_shown_as_text(url: str, person: Person) -> None:
    page = person()
    page.goto(f"{url}/review")
    say_name(page, "$a$ **b** <i>")
    expect(page.get_by_role("button", name="$a$ **b** <i>")).to_be_visible()
