"""Media and hostile texts in the review room, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.review_room import all_stored, enter, judged_workspace, make_queue, stored, write_clip

pytestmark = pytest.mark.slow

Serve = Callable[[Path], Server]
Person = Callable[..., Page]

FRAME_S = 1 / 24
TEXT = "<think>Video 1: 9/10, Video 2: 3/10</think><answer>Video 1 is better</answer>"

# Both clocks in one task, so that nothing passes between the two readings.
CLOCKS = """() => {
  const [a, b] = window.roomOf().querySelectorAll('video');
  return { a: a.currentTime, b: b.currentTime, paused: [a.paused, b.paused],
           frames: [a, b].map((video) => video.shownAt ?? null) };
}"""
WATCH = """() => {
  for (const video of window.roomOf().querySelectorAll('video')) {
    const each = (_, { mediaTime }) => { video.shownAt = mediaTime; video.requestVideoFrameCallback(each); };
    video.requestVideoFrameCallback(each);
  }
}"""


@pytest.fixture
def films(tmp_path: Path, serve: Serve, person: Person) -> Page:
    """The room on two pairs: 10 s beside 10 s, and 4 s beside 2 s."""
    for name, seconds in (("a", 10), ("b", 10), ("c", 4), ("d", 2)):
        write_clip(tmp_path / f"{name}.mp4", seconds)
    space = judged_workspace(
        tmp_path,
        "pairs",
        [
            {"prompt": "one", "first": "a.mp4", "second": "b.mp4", "preference": "first"},
            {"prompt": "two", "first": "c.mp4", "second": "d.mp4", "preference": "first"},
        ],
        [TEXT, TEXT],
    )
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    page.wait_for_function("() => !window.roomOf().querySelector('video').paused")
    return page


def test_two_videos_drift_less_than_a_frame_over_ten_seconds(films: Page) -> None:
    films.evaluate(WATCH)
    films.get_by_role("button", name="Loop").click()
    for _ in range(4):
        films.wait_for_timeout(2_000)
        clocks = films.evaluate(CLOCKS)
        assert clocks["paused"] == [False, False]
        assert abs(clocks["a"] - clocks["b"]) < FRAME_S
    assert clocks["a"] > 5


def test_a_video_that_was_pushed_out_of_step_comes_back(films: Page) -> None:
    films.evaluate("() => { window.roomOf().querySelectorAll('video')[1].currentTime += 1.5; }")
    films.wait_for_function(
        "(most) => { const [a, b] = window.roomOf().querySelectorAll('video');"
        " return Math.abs(a.currentTime - b.currentTime) < most; }",
        arg=FRAME_S,
    )


def test_scrubbing_and_stepping_move_both_to_the_same_frame(films: Page) -> None:
    films.keyboard.press(" ")
    films.locator("input[type=range]").fill("3")
    films.wait_for_timeout(300)
    clocks = films.evaluate(CLOCKS)
    assert clocks["paused"] == [True, True]
    assert clocks["a"] == pytest.approx(3, abs=0.01)
    assert clocks["b"] == pytest.approx(3, abs=0.01)
    before = clocks["a"]
    films.locator(".room").focus()
    for _ in range(3):
        films.keyboard.press(".")
        films.wait_for_timeout(150)
    clocks = films.evaluate(CLOCKS)
    frames = [int(clocks[side] / FRAME_S) for side in ("a", "b")]
    assert frames == [int(before / FRAME_S) + 3] * 2
    films.keyboard.press(",")
    films.wait_for_timeout(200)
    assert int(films.evaluate(CLOCKS)["a"] / FRAME_S) == frames[0] - 1


def test_the_shorter_video_holds_its_last_frame(films: Page) -> None:
    films.keyboard.press("ArrowRight")
    films.get_by_role("button", name="Loop").click()
    expect(films.locator(".pane.second .held")).to_be_visible(timeout=15_000)
    clocks = films.evaluate(CLOCKS)
    assert clocks["b"] == pytest.approx(2, abs=FRAME_S)
    assert clocks["a"] > 2
    films.wait_for_function("() => window.roomOf().querySelector('video').ended")
    # Again from the start, both.
    films.keyboard.press(" ")
    films.wait_for_function("() => [...window.roomOf().querySelectorAll('video')].every((one) => !one.paused)")


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    Image.new("RGB", (64, 48), "green").save(tmp_path / "a.png")
    Image.new("RGB", (48, 64), "red").save(tmp_path / "b.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    return tmp_path, []


ATTACK = (
    "<img src=x onerror='window.hacked=1'><script>window.hacked=2</script>"
    "<svg onload='window.hacked=3'> **bold** $\\frac{1}{2}$ [link](javascript:window.hacked=4)"
    " \x1b[31mred\x1b[0m \u202egnirts\u202c end"
)


def test_hostile_texts_show_as_text_and_run_nothing(
    tmp_path: Path, hostile: object, serve: Serve, person: Person
) -> None:
    long = "Image 1 is fine. " * 60_000
    space = judged_workspace(
        tmp_path,
        "pairs",
        [
            {"prompt": ATTACK, "first": "a.png", "second": "b.png", "preference": "first"},
            {"prompt": "long", "first": "a.png", "second": "b.png", "preference": "second"},
        ],
        [f"<think>{ATTACK}</think><answer>{ATTACK}</answer>", f"<think>{long}</think>"],
    )
    page = person()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    room = enter(page, serve(space.folder).url, make_queue(space, title=f"q {ATTACK}"[:200]))
    for place in (".caption", ".reasoning"):
        held = page.locator(place)
        expect(held).to_contain_text("<img src=x onerror='window.hacked=1'>")
        expect(held).to_contain_text("␛[31mred")
        expect(held).to_contain_text("U+202Egnirts")
        assert held.locator("img, script, svg, a").count() == 0
    page.keyboard.press("n")
    page.keyboard.insert_text(ATTACK)
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    all_stored(page)
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("() => window.roomOf().querySelector('.reasoning').textContent.length > 1000000")
    page.keyboard.press("ArrowLeft")
    expect(room.locator(".own")).to_contain_text("<script>")
    assert page.evaluate("window.hacked") is None
    assert asked == []
    assert [row[1] for row in stored(space)] == ["reject"]


def test_a_broken_medium_shows_why_and_the_review_goes_on(
    tmp_path: Path, hostile: object, serve: Serve, person: Person
) -> None:
    space = judged_workspace(
        tmp_path,
        "pairs",
        [
            {"prompt": "p", "first": "broken.png", "second": "a.png", "preference": "first"},
            {"prompt": "q", "first": "b.png", "second": "a.png", "preference": "first"},
        ],
        [TEXT, TEXT],
    )
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    expect(page.locator(".pane.first .broken")).to_contain_text("cannot be shown")
    assert page.locator(".pane.second img").evaluate("image => image.naturalWidth") == 64
    page.keyboard.press("a")
    expect(page.locator(".broken")).to_have_count(0)
    all_stored(page)
    assert len(stored(space)) == 1


def test_zoom_is_linked_and_both_are_of_one_size(tmp_path: Path, hostile: object, serve: Serve, person: Person) -> None:
    space = judged_workspace(
        tmp_path,
        "pairs",
        [{"prompt": "p", "first": "a.png", "second": "b.png", "preference": "first"}],
        ["<answer>Image 1 is better</answer>"],
    )
    page = person()
    enter(page, serve(space.folder).url, make_queue(space))
    boxes = [page.locator(f".pane.{side} .frame").bounding_box() for side in ("first", "second")]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert (boxes[0]["width"], boxes[0]["height"], boxes[0]["y"]) == pytest.approx(
        (boxes[1]["width"], boxes[1]["height"], boxes[1]["y"]), abs=0.6
    )
    page.mouse.move(boxes[0]["x"] + 50, boxes[0]["y"] + 50)
    page.mouse.wheel(0, -400)
    transforms = page.locator(".zoom").evaluate_all("all => all.map((one) => one.style.transform)")
    assert transforms[0] == transforms[1]
    assert "scale(2" in transforms[0]
    page.keyboard.press("z")
    assert page.locator(".zoom").evaluate_all("all => all.map((one) => one.style.transform)") == ["", ""]
    left = page.locator(".pane.first").bounding_box()
    page.keyboard.press("x")
    flipped = page.locator(".pane.first").bounding_box()
    assert left is not None
    assert flipped is not None
    assert flipped["x"] > left["x"]
    page.keyboard.press("x")
    page.keyboard.press("d")
    blend = page.locator(".pane.second").evaluate("one => getComputedStyle(one).mixBlendMode")
    assert blend == "difference"
