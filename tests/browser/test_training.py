"""A training as a person meets it: from a frozen set to a live curve, through a crash, to Compare."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.demo.judge import shipped_judge
from backend.ingest.importer import import_dataset
from tests.browser.conftest import Server, settled
from tests.workspaces import build_workspace, write_image_pairs

STEPS = 30
SLOW_MS = 180_000
"""A busy machine needs a minute to load torch."""


def prepared(folder: Path) -> None:
    """A workspace with set ``signs`` of images, a held-out dataset, and small settings to begin with."""
    space = build_workspace(folder, images=8, videos=1)
    space.freeze("signs", [1])
    write_image_pairs(folder / "media" / "fresh", 4)
    file = folder / "media" / "fresh" / "pairs.json"
    import_dataset(space.database, name="fresh", spec=f"hpdv3:{file}", data_root=None)
    spec = space.training_launcher.spec(
        ["signs"],
        trainer="local",
        model=str(shipped_judge()),
        output_dir=str(folder / "tried"),
        device="cpu",
        max_pixels=56 * 56,
        train_batch_size=4,
        actor_learning_rate=1e-3,
        max_epochs=100,
        save_steps=10,
    )
    space.training_launcher.stop(space.training_launcher.start(spec))
    space.close()


def number(page: Page, name: str, value: object) -> None:
    field = page.get_by_role("spinbutton", name=name, exact=True)
    field.fill(str(value))
    field.press("Enter")
    settled(page)


@pytest.fixture
def watched(person: Callable[..., Page]) -> Page:
    """A page whose script errors fail the test."""
    page = person(width=1280)
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    return page


@pytest.mark.slow
@pytest.mark.judge
@pytest.mark.timeout(600)
def test_from_a_set_to_a_live_curve_through_a_crash_to_evaluate_and_compare(
    serve: Callable[[Path], Server], tmp_path: Path, watched: Page
) -> None:
    prepared(tmp_path / "ws")
    server = serve(tmp_path / "ws")
    watched.goto(f"{server.url}/curate?set=signs@1")
    settled(watched)
    expect(watched.get_by_role("link", name="Train on this set")).to_have_attribute(
        "href", re.compile(r"training\?new=1&set=signs(%40|@)1")
    )
    watched.goto(f"{server.url}/training?new=1&from=1")
    settled(watched)
    watched.get_by_text("Schedule", exact=False).first.click()
    settled(watched)  # The fold tells the server that it is open, which draws the fields anew.
    number(watched, "max_steps", STEPS)
    expect(watched.get_by_test_id("stCode").first).to_contain_text(f"--max-steps {STEPS}")
    expect(watched.get_by_role("button", name="Start training")).to_be_enabled(timeout=60_000)
    watched.evaluate("window.sameDocument = true")
    watched.get_by_role("button", name="Start training").click()
    watched.wait_for_url("**/training?training=2")

    # Live: the loss curve grows while nobody reloads.
    expect(watched.get_by_text("▶ running")).to_be_visible(timeout=SLOW_MS)
    first = points(watched)
    watched.wait_for_function(f"({_POINTS})() > {first}", timeout=SLOW_MS)
    assert watched.evaluate("window.sameDocument")

    # A crash of the dashboard is nothing to the training.
    server.kill()
    server.start()
    watched.goto(f"{server.url}/training?training=2")
    expect(watched.get_by_text("✓ finished")).to_be_visible(timeout=SLOW_MS)
    expect(watched.get_by_text(f"{STEPS} of {STEPS}")).to_be_visible()
    watched.wait_for_function(f"({_POINTS})() === {STEPS}", timeout=30_000)

    # How good it is, beside the model before training.
    watched.get_by_role("radio", name="checkpoints").or_(
        watched.get_by_role("button", name="checkpoints")
    ).first.click()
    watched.get_by_role("button", name="Evaluate").first.click()
    expect(watched.get_by_text("Evaluate final")).to_be_visible()
    assert "evaluate=final_checkpoint" in watched.url
    expect(watched.get_by_role("combobox", name="Dataset")).to_have_value("fresh · 4 pairs · held out")
    watched.get_by_text("More", exact=True).click()
    number(watched, "max_new_tokens", 192)
    expect(watched.get_by_role("checkbox")).to_be_checked()
    watched.get_by_role("button", name="Start", exact=True).click()
    expect(watched.get_by_text(re.compile(r"final on fresh: \w+"))).to_be_visible()
    came_to = r"(\d+\.\d % \(.*\) right of \d|no answer could be read)"
    for judged in ("final on fresh: ", "Before training: "):
        expect(watched.get_by_text(re.compile(judged + came_to))).to_be_visible(timeout=SLOW_MS)
    watched.get_by_role("link", name="Compare both").click()
    watched.wait_for_url("**/compare?a=5&b=4")
    expect(watched.get_by_text("judged by both")).to_be_visible(timeout=60_000)
    assert watched.locator("[data-testid='stException']").count() == 0


_POINTS = "() => document.querySelector('.js-plotly-plot')?.data?.find(t => t.mode.includes('lines'))?.x?.length ?? 0"


def points(page: Page) -> int:
    """How many steps the loss curve shows."""
    return int(page.evaluate(_POINTS))


def test_a_training_is_cleared_after_a_confirmation_only(
    serve: Callable[[Path], Server], tmp_path: Path, watched: Page
) -> None:
    prepared(tmp_path / "ws")
    folder = tmp_path / "ws" / "tried"
    from backend.training.folder import claim, owner_of
    from backend.training.view import spec_of
    from backend.workspace import open_workspace, settings_for

    space = open_workspace(settings_for(tmp_path / "ws"))
    claim(folder, owner_of(space.folder, 1), spec_of(space.trainings.get(1)))
    space.close()
    server = serve(tmp_path / "ws")
    watched.goto(f"{server.url}/training?training=1")
    settled(watched)
    expect(watched.get_by_text("■ cancelled")).to_be_visible()
    watched.get_by_role("button", name="Clear").click()
    assert folder.exists()
    expect(watched.get_by_text("Deletes this folder")).to_be_visible()
    watched.get_by_role("button", name="Delete this folder").click()
    expect(watched.get_by_role("button", name="Clear")).to_have_count(0)
    assert not folder.exists()
    expect(watched.get_by_role("button", name="Resume")).to_be_visible()
