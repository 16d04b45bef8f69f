"""What a page computes and that takes longer than a page may: done in a thread, kept when done. What
changes the workspace is a task (:mod:`dashboard.tasks`).

A page asks with :func:`ready`; small work is there at once and nothing flickers. Large work leaves
its place free and comes in by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

import streamlit as st

from dashboard.page import fragment
from dashboard.text import md

log = logging.getLogger(__name__)

T = TypeVar("T")
_KEPT = 64
_AT_ONCE_S = 0.35


class Task:
    """One piece of work."""

    def __init__(self) -> None:
        self.future: Future[Any] = Future()
        self.started_at = time.time()

    @property
    def done(self) -> bool:
        return self.future.done()


_tasks: OrderedDict[Hashable, Task] = OrderedDict()
_lock = threading.Lock()


def begin(key: Hashable, work: Callable[[], Any]) -> Task:
    """Start ``work`` in a thread, unless the same is going on or was done before."""
    with _lock:
        task = _tasks.get(key)
        if task is not None:
            _tasks.move_to_end(key)
            return task
        task = _tasks[key] = Task()
        for old in [name for name, one in _tasks.items() if one.done][: len(_tasks) - _KEPT]:
            del _tasks[old]
    threading.Thread(target=_run, args=(task, work), name="background", daemon=True).start()
    return task


def find(key: Hashable) -> Task | None:
    """The task under a key, if there is one."""
    with _lock:
        return _tasks.get(key)


def forget(key: Hashable) -> None:
    """Let a task be done anew."""
    with _lock:
        _tasks.pop(key, None)


def _run(task: Task, work: Callable[[], Any]) -> None:
    try:
        task.future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
        log.info("background work failed: %s", error)
        task.future.set_exception(error)


def ready(key: Hashable, work: Callable[[], T], *, words: str, height: int = 240) -> T | None:
    """The result of ``work``, or ``None`` and a free place that fills by itself when it is there.

    Raises:
        Exception: What ``work`` raised; the next call tries again.
    """
    task = begin(key, work)
    try:
        result: T = task.future.result(timeout=_AT_ONCE_S)
    except TimeoutError:
        if task.done:
            forget(key)
            raise
        _waiting(task, words, height)
        return None
    except Exception:
        forget(key)
        raise
    return result


@fragment(run_every=0.5)
def _waiting(task: Task, words: str, height: int) -> None:
    if task.done:
        st.rerun()
    st.caption(f"{md(words)} · {time.time() - task.started_at:.0f} s")
    st.skeleton(height=height)
