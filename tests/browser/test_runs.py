"""A run as a person meets it in the browser: started, watched, stopped, looked into."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from backend.engines.base import EngineOptions
from backend.inference.launch import RunRequest
from backend.store.schema import jobs
from backend.workspace import Workspace, open_workspace, settings_for
from tests.browser.conftest import Server, settled
from tests.workspaces import build_workspace

_TEXT = "<think>\nboth were looked at\n</think>\n<answer>Image 1 is better</answer>"
HOSTILE = '<img src=x onerror="window.broken=1"> **bold** \u202e'


def prepared(folder: Path, *, latency: float, model: str = "replayed") -> int:
    """A workspace with a scripted run that was cancelled before it began; returns its id."""
    space = build_workspace(folder, images=12, videos=1)
    texts = folder / "texts.jsonl"
    texts.write_text(json.dumps({"text": _TEXT}) + "\n")
    run_id = _cancelled(space, texts, latency, model)
    space.close()
    return run_id


def _cancelled(space: Workspace, texts: Path, latency: float, model: str) -> int:
    options = EngineOptions(scripted_file=str(texts), scripted_latency=latency, batch_size=1)
    run_id, _ = space.launcher.start(RunRequest(dataset="pictures", model=model, engine="scripted", options=options))
    space.launcher.cancel(run_id)
    return run_id


@pytest.fixture
def watched(person: Callable[..., Page]) -> Page:
    """A page whose script errors fail the test."""
    page = person()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    return page


def test_a_run_is_started_again_and_finishes_on_screen_without_a_reload(
    serve: Callable[[Path], Server], tmp_path: Path, watched: Page
) -> None:
    source = prepared(tmp_path / "ws", latency=0.5)
    server = serve(tmp_path / "ws")
    watched.goto(f"{server.url}/runs?new=1&from={source}")
    settled(watched)
    expect(watched.get_by_test_id("stCode")).to_contain_text("--engine scripted")
    watched.evaluate("window.sameDocument = true")
    watched.get_by_role("button", name="Start run").click()
    watched.wait_for_url(f"**/runs?run={source + 1}")
    expect(watched.get_by_text("▶ running")).to_be_visible(timeout=60_000)
    # What stands beside the card goes on with it.
    expect(watched.get_by_text("Waits until its device is free.")).to_have_count(0)
    expect(watched.get_by_text("Its process is starting.")).to_have_count(0)
    why = watched.get_by_text(re.compile(r"^Why \d+ predictions? of \d+ are rejected$"))
    expect(why).to_be_visible(timeout=60_000)
    expect(watched.get_by_text("▶ running", exact=True)).to_be_visible()
    before = why.text_content()
    expect(why).not_to_have_text(before or "")
    expect(watched.get_by_text("✓ finished")).to_be_visible(timeout=60_000)
    expect(watched.get_by_text("12 of 12")).to_be_visible()
    assert watched.evaluate("window.sameDocument")
    watched.get_by_role("radio", name="analysis").or_(watched.get_by_role("button", name="analysis")).first.click()
    expect(watched.get_by_text("The first-shown one wins")).to_be_visible()
    assert "tab=analysis" in watched.url
    watched.reload()
    expect(watched.get_by_text("The first-shown one wins")).to_be_visible()


def test_a_run_is_cancelled_and_resumed_from_its_card(
    serve: Callable[[Path], Server], tmp_path: Path, watched: Page
) -> None:
    source = prepared(tmp_path / "ws", latency=1.0)
    server = serve(tmp_path / "ws")
    watched.goto(f"{server.url}/runs?run={source}")
    settled(watched)
    watched.get_by_role("button", name="Resume").click()
    expect(watched.get_by_text("▶ running")).to_be_visible(timeout=60_000)
    watched.get_by_role("button", name="Cancel").click()
    expect(watched.get_by_text("■ cancelled")).to_be_visible(timeout=60_000)
    expect(watched.get_by_role("button", name="Resume")).to_be_visible()


def test_a_hostile_model_name_is_text_on_every_page(
    serve: Callable[[Path], Server], tmp_path: Path, watched: Page
) -> None:
    run = prepared(tmp_path / "ws", latency=0, model=HOSTILE)
    server = serve(tmp_path / "ws")
    for path in ("", "runs", f"runs?run={run}&tab=settings", f"runs?new=1&from={run}", "compare"):
        watched.goto(f"{server.url}/{path}")
        settled(watched)
        assert watched.locator("img[src=x]").count() == 0
        assert watched.evaluate("window.broken") is None
        assert watched.locator("[data-testid='stException']").count() == 0


def test_a_model_that_is_being_loaded_is_said_to_be(
    serve: Callable[[Path], Server], tmp_path: Path, watched: Page
) -> None:
    run = prepared(tmp_path / "ws", latency=0)
    server = serve(tmp_path / "ws")
    space = open_workspace(settings_for(tmp_path / "ws"))
    job = space.runs.get(run).job_id
    assert job is not None
    # A process that is there, as the supervisor looks for one; of its own, for that may end it.
    worker = subprocess.Popen(["sleep", "300"], start_new_session=True)

    def state(name: str) -> None:
        with space.database.write() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job)
                .values(
                    status=name,
                    cancel_requested=False,
                    pid=worker.pid,
                    pid_started=psutil.Process(worker.pid).create_time(),
                    host=socket.gethostname(),
                    heartbeat_at=time.time() + 600,
                )
            )

    state("starting")
    watched.goto(f"{server.url}/runs?run={run}")
    expect(watched.get_by_text("Its process is starting.")).to_be_visible()
    state("running")
    expect(watched.get_by_text("The model is being loaded")).to_be_visible()
    expect(watched.get_by_text("▶ running, loading the model")).to_be_visible()
    expect(watched.get_by_text("Its process is starting.")).to_have_count(0)
    state("cancelled")
    expect(watched.get_by_text("The model is being loaded")).to_have_count(0)
    worker.kill()
    worker.wait()
    space.close()
