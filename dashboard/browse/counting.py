"""The number of matches: there at once where it can be, else it comes in by itself."""

from __future__ import annotations

import time

import streamlit as st

from backend.domain.browse import BrowseFilter
from backend.store.browse import Browse
from backend.store.database import Database
from dashboard import background
from dashboard.page import fragment

_AT_ONCE_S = 0.5


def match_count(database: Database, wanted: BrowseFilter) -> int | None:
    """How many predictions match; ``None`` while that is still being counted."""
    key = _key(database, wanted)
    task = background.begin(key, lambda: Browse(database).count(wanted))
    try:
        found = int(task.future.result(timeout=_AT_ONCE_S))
    except TimeoutError:
        if not task.done:
            return None
        background.forget(key)
        raise
    except Exception:
        background.forget(key)
        raise
    # Shown once: what matches may be another number the next time somebody looks.
    background.forget(key)
    return found


@fragment(run_every=0.5)
def still_counting(database: Database, wanted: BrowseFilter) -> None:
    """Stands where the number will be, and has the page drawn again when it is there."""
    task = background.find(_key(database, wanted))
    if task is None or task.done:
        st.rerun()
    st.markdown(f"counting, {time.time() - task.started_at:.0f} s")


def _key(database: Database, wanted: BrowseFilter) -> tuple[str, str, BrowseFilter]:
    return ("count", str(database.url), wanted.model_copy(update={"sort": "oldest"}))
