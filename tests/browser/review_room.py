"""What the review tests share: a queue, a browser in its room, a log of what was on the screen."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from backend.curation.queues import NewQueue, QueueKind, Queues
from backend.store.queues import QueueRow
from backend.store.schema import reviews
from backend.workspace import Workspace

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
RULINGS = {"a": ("accept", None), "r": ("reject", None), "1": ("relabel", "first"),
           "2": ("relabel", "second"), "0": ("relabel", "tie"), "f": ("flag", None)}  # fmt: skip


def make_queue(
    space: Workspace, kind: QueueKind = QueueKind.UNREVIEWED, **options: Any
) -> QueueRow:
    return Queues(space.database).make(
        NewQueue(kind=kind, title=options.pop("title", "a queue"), **options), created_by="test"
    )


def enter(
    page: Page, url: str, queue: QueueRow, name: str = "Ada", at: int | None = None
) -> Locator:
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
