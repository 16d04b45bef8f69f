"""Tasks on a page: how far each is, its cancel and its log, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from backend.domain.jobs import JobStatus
from backend.domain.operations import Operation
from backend.errors import WinnowError
from backend.store.tasks import TaskRow
from backend.training.view import log_tail
from backend.workspace import Workspace
from dashboard.page import fragment, show
from dashboard.roles import i_may
from dashboard.text import md, visible

_AT_ONCE_S = 1.5
_LOG_BYTES = 20_000
_DOING = {
    Operation.ADD_DATASET: "Importing",
    Operation.FREEZE: "Freezing",
    Operation.EXPORT: "Exporting",
    Operation.RULE_ON_ALL: "Ruling on",
    Operation.UNDO_ACT: "Taking back",
    Operation.START_DEMO: "The demo",
}


def begin(space: Workspace, operation: Operation, title: str, arguments: dict[str, Any]) -> TaskRow:
    """Start a task, and wait for what is done in a moment."""
    task_id = space.begin(operation, title, arguments)
    until = time.monotonic() + _AT_ONCE_S
    while (row := space.tasks.get(task_id)).is_open and time.monotonic() < until:
        time.sleep(0.1)
    return row


def watch(
    space: Workspace,
    *operations: Operation,
    finished: Callable[[TaskRow], None] | None = None,
    only: Callable[[TaskRow], bool] = lambda _row: True,
) -> None:
    """Draw the tasks of these operations whose end nobody has seen; they follow by themselves.

    Args:
        finished: Called for each of one's own that has finished; it is put away, and the page drawn again.
        only: Which of them.
    """

    def mine() -> list[TaskRow]:
        return [row for row in space.tasks.list(*(one.name for one in operations)) if only(row)]

    rows = mine()
    done = [row for row in rows if row.finished and i_may(Operation[row.operation]) and row.person == space.person.name]
    for row in done:
        space.tasks.put_away(row.id)
        if finished is not None:
            finished(row)
    if done:
        # What stands above was drawn before it was done, perhaps.
        st.rerun()
    if all(row.finished for row in rows):
        return
    going = {row.id for row in rows if row.is_open}

    @fragment(run_every=0.7 if going else None)
    def draw() -> None:
        now = mine()
        if going - {row.id for row in now if row.is_open}:
            st.rerun()
        for row in now:
            if not row.finished:
                _one(space, row)

    draw()


def _one(space: Workspace, row: TaskRow) -> None:
    operation = Operation[row.operation]
    with st.container(border=True):
        if row.is_open:
            left, right = st.columns([6, 1], vertical_alignment="center")
            with left:
                _progress(row, operation)
            if i_may(operation) and right.button("Cancel", key=f"task_cancel_{row.id}", width="stretch"):
                space.cancel_task(row.id)
            return
        _ended(row, operation)
        with st.container(horizontal=True):
            if i_may(operation):
                if st.button("Try again", key=f"task_again_{row.id}"):
                    space.resume_task(row.id)
                    st.rerun()
                if st.button("Dismiss", key=f"task_dismiss_{row.id}", type="tertiary"):
                    space.tasks.put_away(row.id)
                    st.rerun()
            with st.popover("Log", type="tertiary"):
                st.code(visible(log_tail(Path(row.log_path), _LOG_BYTES)) or "empty", language=None)


def _progress(row: TaskRow, operation: Operation) -> None:
    done, total = row.progress.get("done"), row.arguments.get("total")
    words = f"{_DOING[operation]} {md(row.title)}"
    lines = row.progress.get("lines")
    if lines:
        st.markdown(f"{words} is going on.  \n" + "  \n".join(md(line) for line in lines[-3:]))
    elif done is None:
        st.markdown(f"{words}: {'waiting to start' if row.status == JobStatus.QUEUED else 'starting'}")
    elif total:
        st.progress(min(1.0, done / max(1, total)), f"{words}: {done:,} of {total:,}")
    else:
        st.markdown(f"{words}: {done:,} so far")


def _ended(row: TaskRow, operation: Operation) -> None:
    words = f"{_DOING[operation]} {md(row.title)}"
    if row.status == JobStatus.CANCELLED:
        st.markdown(f"{words}: cancelled")
    elif row.status == JobStatus.INTERRUPTED:
        st.warning(f"{words}: its process ended before it was done")
    else:
        show(WinnowError(f"{_DOING[operation]} {row.title}: {row.error or 'failed'}", hint=row.hint))
