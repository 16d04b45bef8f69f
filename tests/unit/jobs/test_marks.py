"""Finding a job's processes by their mark, and dying with a parent; with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.jobs.marks import MARK, mark_of
from backend.jobs.processes import pid_exists, reap, spawn, stop_group, stop_marked

ROOT = str(Path(__file__).parents[3])
# As torchrun does: the child has a session of its own. Its last argument is our pid.
LAUNCHER = """
import os, subprocess, sys, time
argv = [sys.executable, "-c", *sys.argv[2:], str(os.getpid())]
child = subprocess.Popen(argv, start_new_session=True)
with open(sys.argv[1] + ".partial", "w") as file:
    file.write(str(child.pid))
os.rename(sys.argv[1] + ".partial", sys.argv[1])
time.sleep(60)
"""
SLEEP = "import time; time.sleep(60)"
TIED = """
import pathlib, sys, time
from backend.jobs.marks import die_with_parent
pathlib.Path(sys.argv[1]).write_text(str(die_with_parent()))
time.sleep(60)
"""
TIED_TOO_LATE = """
import os, pathlib, sys, time
while os.getppid() == int(sys.argv[-1]):
    time.sleep(0.01)
from backend.jobs.marks import die_with_parent
pathlib.Path(sys.argv[1]).write_text(str(die_with_parent()))
"""


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


Launch = Callable[..., tuple[int, float, int]]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """``launch(code, mark=…)``: a launcher and its worker; pid and start time of the one, pid of the
    other."""
    pids: list[int] = []

    def start(code: str, *args: str, mark: str = "") -> tuple[int, float, int]:
        note = tmp_path / f"worker-{len(pids)}"
        pid, created = spawn(
            [sys.executable, "-S", "-c", LAUNCHER, str(note), code, *args],
            env={MARK: mark, "PYTHONPATH": ROOT},
            log_path=tmp_path / "log",
        )
        until(note.exists)
        pids.extend((pid, int(note.read_text())))
        return pid, created, pids[-1]

    yield start
    for pid in pids:
        if pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    reap()


def test_a_worker_with_its_own_session_and_no_parent_is_found_by_its_mark(launch: Launch, tmp_path: Path) -> None:
    mark = mark_of(tmp_path, 1)
    pid, created, worker = launch(SLEEP, mark=mark)
    _, _, of_another = launch(SLEEP, mark=mark_of(tmp_path, 2))
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid in reap())
    assert stop_group(pid, created, grace=1)
    assert pid_exists(worker), "without the mark nothing ties it to its job"
    assert stop_group(pid, created, mark=mark, grace=1)
    assert not pid_exists(worker)
    assert pid_exists(of_another)


def test_the_mark_finds_a_worker_also_when_its_leaders_pid_is_another_process_now(
    launch: Launch, tmp_path: Path
) -> None:
    mark = mark_of(tmp_path, 1)
    stranger, created, _ = launch(SLEEP)
    _, _, worker = launch(SLEEP, mark=mark)
    assert stop_group(stranger, created - 1000, mark=mark, grace=1)
    assert not pid_exists(worker)
    assert pid_exists(stranger)


def test_a_job_ends_what_it_started_and_not_itself(launch: Launch, tmp_path: Path) -> None:
    mark = mark_of(tmp_path, 1)
    _, _, worker = launch(SLEEP, mark=mark)
    code = f"from backend.jobs.processes import stop_marked; print(stop_marked({mark!r}, grace=1))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, MARK: mark, "PYTHONPATH": ROOT}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "True", done.stderr
    assert not pid_exists(worker)
    assert stop_marked(mark, grace=0)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_worker_dies_with_its_parent_by_itself(launch: Launch, tmp_path: Path) -> None:
    said = tmp_path / "said"
    pid, _, worker = launch(TIED, str(said), mark=mark_of(tmp_path, 1))
    until(lambda: said.exists() and said.read_text() == "True")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not pid_exists(worker))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_worker_whose_parent_was_dead_before_it_could_be_tied_is_told(launch: Launch, tmp_path: Path) -> None:
    said = tmp_path / "said"
    pid, _, _ = launch(TIED_TOO_LATE, str(said), mark=mark_of(tmp_path, 1))
    os.kill(pid, signal.SIGKILL)
    reap()
    until(lambda: said.exists() and said.read_text() == "False")
