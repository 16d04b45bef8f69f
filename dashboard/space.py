"""The open workspace of this server."""

from __future__ import annotations

import threading

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
