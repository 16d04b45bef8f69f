"""The demo, started from the dashboard: the steps of ``winnow demo`` in the background."""

from __future__ import annotations

import time

import streamlit as st

from backend.demo.steps import run_demo
from backend.domain.jobs import OPEN, JobStatus
from backend.domain.operations import Operation, require
from backend.errors import RunError, WinnowError
from backend.workspace import Workspace
from dashboard.background import Task, begin, find, forget
from dashboard.page import fragment, show
from dashboard.text import md


def start_demo(space: Workspace) -> None:
    """Begin the demo, unless it is going on.

    Raises:
        Forbidden: Only operators may.
    """
    require(space.person, Operation.START_DEMO)

    def wait(run_id: int) -> None:
        while (run := space.runs.get(run_id)).status in OPEN:
            space.supervise()
            time.sleep(0.5)
        if run.status != JobStatus.FINISHED:
            raise RunError(f"run {run_id} {run.status}", hint=run.hint or "its log says why")

    def work(task: Task) -> None:
        run_demo(space.database, space.launcher, space.folder, wait=wait, say=task.say)

    begin(("demo", str(space.folder)), work)


def demo_progress(space: Workspace) -> None:
    """What the demo is doing; nothing while it does not run."""
    key = ("demo", str(space.folder))
    task = find(key)
    if task is None:
        return
    if task.error is not None:
        if isinstance(task.error, WinnowError):
            show(task.error)
        else:
            st.error("The demo failed; the server's log says why.")
        if st.button("Dismiss", key="dismiss_demo"):
            forget(key)
            st.rerun()
        return
    if task.done:
        forget(key)
        return

    @fragment(run_every=1.0)
    def watch() -> None:
        if task.done:
            st.rerun()
        lines = "  \n".join(md(line) for line in task.lines[-3:])
        st.info(f"The demo is going on.  \n{lines}", icon=":material/hourglass_top:")

    watch()
