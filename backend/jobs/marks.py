"""The mark that every process of a job bears, and dying with the process that started one.

A job's process group and session do not hold what ``torchrun`` starts: its workers get sessions of
their own, and lose their parent when it is killed. The environment is inherited by all of them, ours
or not, and nobody changes it on the way; so a job's name in it tells whose they are.

Imports nothing that a trainer's interpreter might lack.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from pathlib import Path

log = logging.getLogger(__name__)

MARK = "WINNOW_JOB"
"""The variable; empty in what a job starts that is no part of it."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


def mark_of(folder: Path, job_id: int) -> str:
    """The mark of a job, the same in each of its attempts.

    Args:
        folder: The workspace's.
    """
    return f"{job_id} of {folder.resolve()}"


def die_with_parent(parent: int | None = None) -> bool:
    """Ask the kernel to kill this process when its parent ends. Does nothing but on Linux.

    Call it early, in the main thread. It holds through ``exec``, and not for children of this process.
    The parent is the *thread* that started this process: let that be one that lasts.

    Args:
        parent: The parent's pid; without it the parent is known by the mark that it bears.

    Returns:
        False when the parent has ended already, of which the kernel says nothing any more.
    """
    if sys.platform != "linux":
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        log.warning("cannot be tied to the parent: %s", os.strerror(ctypes.get_errno()))
    if parent is not None:
        return os.getppid() == parent
    mark = os.environ.get(MARK)
    return not mark or _bears(os.getppid(), mark)


def _bears(pid: int, mark: str) -> bool:
    """Whether a process has that mark; who adopts orphans (``init``, a sub-reaper) has not."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        # Gone, or somebody else's, as init is.
        return False
    return f"{MARK}={mark}".encode() in variables
