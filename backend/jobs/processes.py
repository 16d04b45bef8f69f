"""Starting a detached process, telling whether it lives, and stopping all of it.

A process is named by its pid *and* its start time, because pids are used again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from backend.files import make_folder, open_appending
from backend.jobs.marks import MARK

log = logging.getLogger(__name__)

# psutil derives a start time from the boot time, which moves a little when the clock is set.
_SAME_START_S = 1.0
_KILL_WAIT_S = 5.0
_POLL_S = 0.02

# Popen objects must be kept: a dropped one is waited for by the next Popen, and its code is lost.
_children: dict[int, subprocess.Popen[bytes]] = {}


def spawn(
    argv: Sequence[str], *, env: Mapping[str, str], log_path: Path, cwd: Path | None = None, stdin: bytes = b""
) -> tuple[int, float]:
    """Start a command in a session of its own, so that it outlives us.

    Args:
        argv: The command, never a shell string.
        env: Variables to add to this process's environment.
        log_path: Where standard output and standard error are appended.
        cwd: The working directory; ours when not given.
        stdin: A few bytes for standard input, which is otherwise empty. Nobody else can read them,
            unlike a command line.

    Returns:
        The pid and the start time that together name the process.

    Raises:
        OSError: The command or its log file cannot be opened.
    """
    make_folder(log_path.parent)
    with open_appending(log_path) as output:
        child = subprocess.Popen(  # noqa: S603 (a list, and no shell)
            list(argv),
            env={**os.environ, **env},
            cwd=cwd,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    started = _create_time(child.pid)
    _children[child.pid] = child
    if child.stdin is not None:
        try:
            child.stdin.write(stdin)
            child.stdin.close()
        except BrokenPipeError:
            log.warning("process %d ended before it read its input", child.pid)
    return child.pid, time.time() if started is None else started


def reap() -> dict[int, int]:
    """Wait for the ended ones among our own children; their exit codes by pid (-9: killed by 9).

    Without it an ended child stays in the process table as a zombie.
    """
    ended: dict[int, int] = {}
    for pid, child in list(_children.items()):
        code = child.poll()
        if code is not None:
            ended[pid] = code
            _children.pop(pid, None)
    return ended


def this_process(recorded: int | None = None) -> tuple[int, float]:
    """The pid and start time under which this process owns its job.

    Args:
        recorded: The pid in the job's row. When an interpreter is a wrapper script, that is the
            wrapper, the leader of our session, and it stays the owner.
    """
    pid = os.getpid()
    if recorded is not None and recorded == os.getsid(0):
        pid = recorded
    started = _create_time(pid)
    return pid, time.time() if started is None else started


def pid_exists(pid: int) -> bool:
    """Whether any living process has this pid; a zombie has ended."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def is_alive(pid: int, pid_started: float) -> bool:
    """Whether that very process still runs: not a zombie, and not another one with its pid."""
    started = _create_time(pid)
    return started is not None and _same(started, pid_started) and pid_exists(pid)


def ask_to_stop(pid: int, pid_started: float) -> None:
    """Send SIGTERM to that very process alone: it knows best in which order to end what it started."""
    started = _create_time(pid)
    if started is not None and _same(started, pid_started):
        with contextlib.suppress(psutil.NoSuchProcess):
            _signal(psutil.Process(pid), signal.SIGTERM)


def stop_group(pid: int, pid_started: float, *, mark: str | None = None, grace: float = 10.0) -> bool:
    """Stop a process, its session, its process group, its descendants, and all that bears a mark.

    SIGTERM first, SIGKILL to whatever is left after the grace time, then a look at the process
    table. Also finds what a leader that is already dead left behind. A reused pid is never
    signalled.

    Args:
        pid: The process that :func:`spawn` started.
        pid_started: Its start time.
        mark: The job's, see :mod:`backend.jobs.marks`.
        grace: Seconds between SIGTERM and SIGKILL.

    Returns:
        True when it was verified that nothing is left.
    """
    started = _create_time(pid)
    if started is not None and not _same(started, pid_started):
        # The kernel hands a pid out again only when no group and no session bears it: what is left,
        # if anything, has a session of its own, and only the mark tells whose it is.
        return mark is None or stop_marked(mark, grace=grace)
    return _stop(_Members(pid, pid_started, mark), grace)


def stop_marked(mark: str, *, grace: float = 10.0) -> bool:
    """The same for whatever bears a job's mark, this process and those above it aside."""
    return _stop(_Members(None, 0.0, mark), grace)


def _stop(members: _Members, grace: float) -> bool:
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_WAIT_S)):
        deadline = time.monotonic() + seconds
        told: set[int] = set()
        while living := members.living():
            # Whoever was forked meanwhile is told as well.
            for member in living:
                if member.pid not in told:
                    told.add(member.pid)
                    _signal(member, number)
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL_S)
        else:
            return True
    left = members.living()
    if left:
        log.warning("still there: processes %s", [member.pid for member in left])
    return not left


class _Members:
    """What lives of a job, from look to look.

    Remembers those that left the session and lost their parent.

    Args:
        pid: The job's leader; ``None`` when nothing bears its pid any more.
        mark: The job's.
    """

    def __init__(self, pid: int | None, pid_started: float, mark: str | None) -> None:
        self._pid, self._earliest, self._mark = pid, pid_started - _SAME_START_S, mark
        self._known: dict[int, psutil.Process] = {}
        # A job's own process may ask this about what it has started.
        self._spared = {os.getpid(), *(process.pid for process in psutil.Process().parents())}

    def living(self) -> list[psutil.Process]:
        """Who is there now."""
        for candidate in psutil.pids():
            if candidate in self._known or candidate in self._spared:
                continue
            try:
                process = psutil.Process(candidate)
                if self._is_of_leader(process) or self._is_marked(process):
                    self._known[candidate] = process
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        for process in list(self._known.values()):
            try:
                for child in process.children(recursive=True):
                    self._known.setdefault(child.pid, child)
            except psutil.NoSuchProcess:
                continue
        self._known = {
            pid: process for pid, process in self._known.items() if pid not in self._spared and _lives(process)
        }
        return list(self._known.values())

    def _is_of_leader(self, process: psutil.Process) -> bool:
        if self._pid is None:
            return False
        family = (process.pid, os.getpgid(process.pid), os.getsid(process.pid))
        return self._pid in family and process.create_time() >= self._earliest

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return self._mark is not None and process.environ().get(MARK) == self._mark
        except (psutil.AccessDenied, OSError):
            # Somebody else's.
            return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        # psutil compares the start time once more before it signals.
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied:
        log.warning("process %d belongs to somebody else", process.pid)


def _create_time(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _same(one: float, other: float) -> bool:
    return abs(one - other) < _SAME_START_S
