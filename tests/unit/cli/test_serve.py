"""The server's process and the command that started it, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.jobs.processes import pid_exists

ROOT = str(Path(__file__).parents[3])
COMMAND = """
import os, sys
from backend.cli.serve import _until_it_ends
sys.exit(_until_it_ends([sys.executable, "-c", *sys.argv[1:]], dict(os.environ)))
"""
# Starts a run as the real server does, and says its own pid and the run's.
SERVER = """
import os, sys, time
from pathlib import Path
from backend.jobs.processes import spawn
run, _ = spawn([sys.executable, "-c", "import time; time.sleep(60)"], env={}, log_path=Path(sys.argv[1]))
Path(sys.argv[2] + ".partial").write_text(f"{os.getpid()} {run}")
os.rename(sys.argv[2] + ".partial", sys.argv[2])
time.sleep(60)
"""


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """The command, the server's pid, and the pid of a run that the server has started."""
    said = tmp_path / "said"
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, SERVER, str(tmp_path / "log"), str(said)],
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    until(said.exists)
    server, run = map(int, said.read_text().split())
    yield command, server, run
    for pid in (command.pid, server, run):
        if pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    command.wait(timeout=20)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_killed_command_leaves_no_server_behind_and_ends_no_run(
    served: tuple[subprocess.Popen[bytes], int, int],
) -> None:
    command, server, run = served
    command.kill()
    command.wait(timeout=20)
    until(lambda: not pid_exists(server), seconds=10)
    time.sleep(0.3)
    assert pid_exists(run)


def test_a_command_that_is_asked_to_end_ends_the_server_and_no_run(
    served: tuple[subprocess.Popen[bytes], int, int],
) -> None:
    command, server, run = served
    command.terminate()
    assert command.wait(timeout=20) == 128 + signal.SIGTERM
    assert not pid_exists(server)
    assert pid_exists(run)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_server_whose_command_is_gone_already_does_not_start() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    done = subprocess.run(
        [sys.executable, "-m", "backend.jobs.tied", str(gone.pid), sys.executable, "-c", "print(1)"],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
