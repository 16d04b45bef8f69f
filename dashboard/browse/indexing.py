"""Filling the search indexes behind the pages, so that nobody waits for a million texts."""

from __future__ import annotations

import logging
import threading
import time

from backend.domain.browse import BrowseFilter
from backend.store.browse import Browse
from backend.store.database import Database

log = logging.getLogger(__name__)
STEP_S = 0.2
PAUSE_S = 0.2
"""Between steps, for rulings, runs, and the processor that pages need."""

LOOK_S = 5.0
"""How often at most to look whether something is missing."""

_lock = threading.Lock()
_going: dict[str, tuple[threading.Thread, float]] = {}


def keep_up(database: Database) -> None:
    """See to it that the indexes of this workspace are being filled, if anything is missing."""
    if not database.is_sqlite:
        return
    name = str(database.url)
    with _lock:
        thread, looked = _going.get(name, (None, 0.0))
        if time.monotonic() - looked < LOOK_S or (thread is not None and thread.is_alive()):
            return
        thread = threading.Thread(target=_fill, args=(database,), name="index", daemon=True)
        _going[name] = (thread, time.monotonic())
    thread.start()


def not_indexed(browse: Browse, wanted: BrowseFilter, seconds: float) -> int:
    """How many predictions this search has to read one by one, after catching up for so long."""
    indexes = [browse.words_index] if wanted.words else []
    indexes += [browse.scores_index] if wanted.dimension else []
    return max((index.catch_up(seconds) for index in indexes), default=0)


def _fill(database: Database) -> None:
    browse = Browse(database)
    try:
        for index in (browse.scores_index, browse.words_index):
            while index.catch_up(STEP_S):
                time.sleep(PAUSE_S)
    except Exception:
        # Searches read the texts themselves meanwhile; the next view of a page tries again.
        log.exception("an index could not be filled")
