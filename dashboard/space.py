"""The open workspace, in the name of whoever is asking."""

from __future__ import annotations

import threading

from backend.domain.people import Person
from backend.workspace import Workspace, open_workspace, settings_for

_lock = threading.Lock()
_opened: Workspace | None = None


def shared() -> Workspace:
    """The workspace of this server process, opened once; for routes, which have no script.

    Raises:
        WinnowError: It cannot be opened.
    """
    global _opened
    with _lock:
        if _opened is None:
            _opened = open_workspace(settings_for(None))
        return _opened


def forget() -> None:
    """Close the workspace; the next call opens it anew. For tests and for the server's end."""
    global _opened
    with _lock:
        if _opened is not None:
            _opened.close()
        _opened = None


def space() -> Workspace:
    """The workspace, refusing what the present person may not do."""
    return shared().acting_as(person())


def person() -> Person:
    """Who this script runs for."""
    from dashboard.identity import present_person

    return shared().here(present_person())
