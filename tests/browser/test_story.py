"""One whole story in a real browser: dataset, run, browse, review, freeze, export."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.curation.sets import get_set
from backend.store.browse import Browse, BrowseFilter
from backend.workspace import open_workspace, settings_for
from tests.browser.conftest import Server, settled
from tests.workspaces import write_image_pairs

PAIRS = 30
pytestmark = pytest.mark.slow


def texts(folder: Path) -> Path:
    """What the judge will answer: right on two pairs of three."""
    lines = []
    for i in range(PAIRS):
        one, two = (9, 4) if i % 3 else (4, 9)
        better = 1 if i % 3 else 2
        lines.append(
            json.dumps(
                {
                    "index": i,
                    "text": f"<think>\nAuthenticity: Image 1 is sharp ({one}/10); Image 2 is soft ({two}/10)\n"
                    f"</think>\n<answer>Image {better} is better</answer>",
                }
            )
        )
    path = folder / "texts.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_from_a_dataset_to_a_training_file_without_leaving_the_browser(
    serve: Callable[[Path], Server], person: Callable[..., Page], tmp_path: Path
) -> None:
    write_image_pairs(tmp_path / "t2i", PAIRS)
    workspace = tmp_path / "ws"
    server = serve(workspace)
    page = person()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))

    # A dataset.
    page.goto(f"{server.url}/datasets")
    settled(page)
    page.get_by_role("textbox", name="Format and file").fill(f"hpdv3:{tmp_path / 't2i' / 'pairs.json'}")
    page.get_by_role("textbox", name="Name", exact=True).first.fill("pictures")
    page.keyboard.press("Tab")
    page.get_by_role("button", name=re.compile("^Add")).last.click()
    expect(page.get_by_text("number 0").first).to_be_visible(timeout=60_000)

    # A run, launched by the command's own path on the texts of a scripted judge.
    space = open_workspace(settings_for(workspace))
    assert space.datasets.get("pictures").counts["pairs"] == PAIRS
    from backend.domain.pairs import OrderPolicy
    from backend.engines.base import EngineOptions
    from backend.inference.launch import RunRequest

    options = EngineOptions(scripted_file=str(texts(tmp_path)), scripted_latency=0.05, batch_size=2)
    space.launcher.start(
        RunRequest(dataset="pictures", model="judge", engine="scripted", options=options, order=OrderPolicy.DATASET)
    )
    space.supervise()
    page.goto(f"{server.url}/runs?run=1")
    expect(page.get_by_text(re.compile("finished", re.IGNORECASE)).first).to_be_visible(timeout=90_000)
    assert space.runs.counts(1)["accepted"] == PAIRS * 2 // 3

    # Browse, with a filter that survives a reload.
    page.goto(f"{server.url}/browse?run=1&effective=rejected")
    settled(page)
    expect(page.get_by_text("10 matches")).to_be_visible()
    page.reload()
    settled(page)
    expect(page.get_by_text("10 matches")).to_be_visible()
    page.get_by_role("option").first.wait_for()
    assert page.get_by_role("option").count() == 10

    # Review: the first card opens the room; rulings by keyboard.
    page.get_by_role("option").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_placeholder("Ada").fill("Ada")
    page.get_by_role("button", name="Go on").click()
    page.locator(".room[data-position]").wait_for(timeout=60_000)
    page.wait_for_timeout(1_000)
    for key in "aar":
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    page.locator(".room[data-pending='0']").wait_for(timeout=30_000)
    browse = Browse(space.database)
    assert browse.count(BrowseFilter(reviewer="Ada")) == 3
    assert browse.count(BrowseFilter(ruling=("accept",), effective="accepted")) == 2

    # Freeze and export.
    page.goto(f"{server.url}/curate?runs=1")
    settled(page)
    expect(page.get_by_role("button", name="Freeze")).to_be_enabled(timeout=30_000)
    page.get_by_label("Name", exact=True).fill("first-set")
    page.get_by_role("button", name="Freeze").click()  # at once, the field still has the focus
    expect(page.get_by_text("first-set version 1")).to_be_visible(timeout=30_000)
    assert get_set(space.database, "first-set").counts["items"] == PAIRS * 2 // 3 + 2
    page.get_by_role("button", name="Export").click()
    link = page.get_by_role("link", name=re.compile("Download as zip"))
    link.wait_for(timeout=60_000)
    with page.expect_download() as waiting:
        link.click()
    packed = tmp_path / "export.zip"
    waiting.value.save_as(packed)
    with zipfile.ZipFile(packed) as bundle:
        name = next(n for n in bundle.namelist() if n.endswith("rejection_sampling_train.json"))
        rows = json.loads(bundle.read(name))
    assert len(rows) == PAIRS * 2 // 3 + 2
    for row in rows:
        side = 0 if "Image 1 is better" in row["conversations"][1]["value"] else 1
        number = int(re.search(r"(\d+)-", Path(row["images"][side]).name)[1])  # type: ignore[index]
        assert ("win" in row["images"][side]) == (number % 3 != 0), "the label names what was shown there"
    assert problems == []
    space.close()
