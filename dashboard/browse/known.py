"""What there is to choose from in the filters: looked up beside the page, some seconds old."""

from __future__ import annotations

import threading
import time

from backend.store.browse import Browse, Facets
from backend.store.database import Database
from dashboard import background

FRESH_S = 20.0

_lock = threading.Lock()
_known: dict[str, tuple[float, Facets]] = {}


def known_facets(database: Database) -> Facets:
    """Reviewers, tags and dimensions; only the first view of a workspace waits for them."""
    name = str(database.url)
    with _lock:
        kept = _known.get(name)
    if kept is None:
        return _look(database, name)
    if time.monotonic() - kept[0] > FRESH_S:
        key = ("facets", name)
        task = background.find(key)
        if task is not None and task.done:
            background.forget(key)
        background.begin(key, lambda: _look(database, name))
    return kept[1]


def _look(database: Database, name: str) -> Facets:
    found = Browse(database).facets()
    with _lock:
        _known[name] = (time.monotonic(), found)
    return found
