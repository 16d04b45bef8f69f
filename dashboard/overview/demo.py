"""The demo, started from the dashboard: the steps of ``winnow demo`` as a task."""

from __future__ import annotations

from backend.domain.operations import Operation
from backend.workspace import Workspace
from dashboard import tasks


def start_demo(space: Workspace) -> None:
    """Begin the demo, unless it is going on.

    Raises:
        Forbidden: Only operators may.
    """
    if not any(row.is_open for row in space.tasks.list(Operation.START_DEMO.name)):
        tasks.begin(space, Operation.START_DEMO, "", {})


def demo_progress(space: Workspace) -> None:
    """What the demo is doing; nothing while it does not run."""
    tasks.watch(space, Operation.START_DEMO)
