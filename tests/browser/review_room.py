"""What the review tests share: a queue, a browser in its room, a log of what was on the screen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from backend.curation.queues import NewQueue, Queues
from backend.demo.coding import encode_mp4
from backend.domain.filtering import Policy
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.store.queues import QueueRow
from backend.store.schema import reviews
from backend.workspace import Workspace, open_workspace, settings_for

# Runs before any script of the page, so that it sees what is drawn when a key goes down.
LOG_KEYS = """
window.roomOf = () => {
  if (window.knownRoom?.isConnected) return window.knownRoom;
  for (const element of document.querySelectorAll('*')) {
    const room = element.shadowRoot?.querySelector('.room');
    if (room) return (window.knownRoom = room);
  }
  return null;
};
window.pressed = [];
window.addEventListener('keydown', (event) => {
  const room = window.roomOf();
  if (room) window.pressed.push([Number(room.dataset.prediction), event.key]);
}, true);
"""
RULINGS = {
    "a": ("accept", None),
    "r": ("reject", None),
    "1": ("relabel", "first"),
    "2": ("relabel", "second"),
    "0": ("relabel", "tie"),
    "f": ("flag", None),
}


def make_queue(space: Workspace, kind: str = "unreviewed", **options: Any) -> QueueRow:
    return Queues(space.database).make(
        NewQueue(kind=kind, title=options.pop("title", "a queue"), **options), created_by="test"
    )


def enter(page: Page, url: str, queue: QueueRow, name: str = "Ada", at: int | None = None) -> Locator:
    """Open a queue as somebody new; the room, with a pair on the screen."""
    page.add_init_script(LOG_KEYS)
    page.goto(f"{url}/review?queue={queue.id}" + ("" if at is None else f"&at={at}"))
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Go on").click()
    return drawn(page)


def drawn(page: Page) -> Locator:
    """The room, once a pair is on the screen."""
    page.locator(".room[data-position]").wait_for()
    return page.locator(".room")


def type_keys(page: Page, keys: Iterable[str], *, per_second: float) -> None:
    """Press keys at a steady pace, however long each press takes."""
    begun = time.monotonic()
    for number, key in enumerate(keys):
        page.keyboard.press(key)
        time.sleep(max(0.0, begun + (number + 1) / per_second - time.monotonic()))


def all_stored(page: Page) -> None:
    """Wait until the room has nothing left to store."""
    expect(page.locator(".room")).to_have_attribute("data-pending", "0", timeout=60_000)


def logged(page: Page) -> list[tuple[int, str, str | None]]:
    """What the log says should be stored: prediction on the screen, ruling, label."""
    rows = page.evaluate("window.pressed")
    return [(number, *RULINGS[key]) for number, key in rows if key in RULINGS]


def stored(space: Workspace) -> list[tuple[int, str, str | None]]:
    """Every ruling in the database, in the order of storing."""
    query = select(reviews.c.prediction_id, reviews.c.ruling, reviews.c.relabel)
    with space.database.read() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(reviews.c.id))]


def prediction(page: Page) -> int:
    return int(str(page.locator(".room").get_attribute("data-prediction")))


def judged_workspace(folder: Path, source: str, pairs: Sequence[dict[str, Any]], texts: Sequence[str]) -> Workspace:
    """A workspace whose one run says ``texts`` about ``pairs``, whose media are in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in pairs)
    (folder / "pairs.jsonl").write_text(lines, encoding="utf-8")
    space = open_workspace(settings_for(folder / "ws"))
    dataset = import_dataset(space.database, name="d", spec=f"{source}:{folder / 'pairs.jsonl'}", data_root=None)
    said = folder / "predictions.jsonl"
    said.write_text(
        "".join(json.dumps({"index": i, "text": text}) + "\n" for i, text in enumerate(texts)), encoding="utf-8"
    )
    spec = RunSpec(model="judge", engine="import", instruction=instructions(None, use_cot=True))
    import_predictions(space.database, dataset.id, spec, Policy(), said)
    return space


def write_clip(path: Path, seconds: float, fps: int = 24) -> None:
    """A clip whose every frame differs from the one before."""
    frames = np.zeros((round(seconds * fps), 96, 128, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, : 1 + number * 128 // len(frames)] = (60, 160, 90)
        frame[:20, :20] = 255 * (number % 2)
    path.write_bytes(encode_mp4(frames, fps=fps))
