"""Starting, naming and stopping real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backend.jobs.processes import is_alive, pid_exists, reap, spawn, stop_group, this_process

# A process with a child that has a child; all write their pids. If told, the last leaves the
# session.
FAMILY = """
import os, signal, subprocess, sys, time
depth, stubborn, leaves = int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3] == "1"
if stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if depth:
    subprocess.Popen(
        [sys.executable, "-S", __file__, str(depth - 1), *sys.argv[2:]],
        start_new_session=leaves and depth == 1,
    )
with open(sys.argv[4], "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Callable[..., tuple[int, float, list[int]]]]:
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    pids = tmp_path / "pids"
    started: list[int] = []

    def start(*, stubborn: bool = False, leaves: bool = False) -> tuple[int, float, list[int]]:
        argv = [sys.executable, "-S", str(script), "2", str(int(stubborn)), str(int(leaves)), str(pids)]
        pid, created = spawn(argv, env={}, log_path=tmp_path / "log")
        until(lambda: pids.exists() and len(pids.read_text().split()) == 3)
        started.extend(int(line) for line in pids.read_text().split())
        return pid, created, list(started)

    yield start
    for pid in started:
        if pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    reap()


@pytest.mark.parametrize("leaves", [False, True], ids=["same session", "own session"])
@pytest.mark.parametrize("stubborn", [False, True], ids=["polite", "ignores SIGTERM"])
def test_stop_leaves_no_child_and_no_grandchild(
    family: Callable[..., tuple[int, float, list[int]]], stubborn: bool, leaves: bool
) -> None:
    pid, created, pids = family(stubborn=stubborn, leaves=leaves)
    assert len(pids) == 3
    assert stop_group(pid, created, grace=0.2)
    assert not any(pid_exists(member) for member in pids)
    assert reap()[pid] == -(signal.SIGKILL if stubborn else signal.SIGTERM)


def test_stop_finds_what_a_dead_leader_left_behind(family: Callable[..., tuple[int, float, list[int]]]) -> None:
    pid, created, pids = family()
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid in reap())
    assert sum(map(pid_exists, pids)) == 2
    assert stop_group(pid, created, grace=0.2)
    assert not any(pid_exists(member) for member in pids)


def test_a_process_that_has_the_pid_of_another_is_not_signalled(tmp_path: Path) -> None:
    pid, created = spawn([sys.executable, "-S", "-c", "import time; time.sleep(60)"], env={}, log_path=tmp_path / "l")
    assert not is_alive(pid, created - 1000)
    assert stop_group(pid, created - 1000, grace=0.1)
    assert is_alive(pid, created)
    assert stop_group(pid, created, grace=1)
    assert not is_alive(pid, created)
    reap()


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as child:
        created = psutil.Process(child.pid).create_time()
        until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
        assert not is_alive(child.pid, created)
        assert stop_group(child.pid, created, grace=0.1)


def test_output_is_appended_to_the_log_and_the_environment_extended(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['WORD'], flush=True); print('err', file=sys.stderr)"
    log = tmp_path / "logs" / "1.log"
    for word in ("one", "two"):
        pid, _ = spawn([sys.executable, "-c", code], env={"WORD": word}, log_path=log)
        until(lambda pid=pid: pid in reap())  # type: ignore[misc]
    assert log.read_text().split() == ["one", "err", "two", "err"]


def test_a_process_gets_its_input_and_its_own_session(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import os, sys; print(sys.stdin.read(), os.getsid(0) == os.getpid(), os.getcwd())"
    pid, _ = spawn([sys.executable, "-c", code], env={}, log_path=log, cwd=tmp_path, stdin=b"word")
    until(lambda: pid in reap())
    assert log.read_text().split() == ["word", "True", str(tmp_path)]


def test_an_exit_code_is_kept_until_it_is_asked_for(tmp_path: Path) -> None:
    argv = [sys.executable, "-S", "-c", "raise SystemExit(7)"]
    first, created = spawn(argv, env={}, log_path=tmp_path / "log")
    until(lambda: not is_alive(first, created))
    # Starting another child makes subprocess wait for those that nobody holds on to.
    second, _ = spawn(argv, env={}, log_path=tmp_path / "log")
    codes: dict[int, int] = {}
    until(lambda: codes.update(reap()) or second in codes)  # type: ignore[func-returns-value]
    assert codes == {first: 7, second: 7}


def test_a_command_that_does_not_exist_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn(["/no/such/python"], env={}, log_path=tmp_path / "log")


def test_the_leader_of_the_session_stays_the_owner_behind_a_wrapper(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])
    inner = "import sys; from backend.jobs.processes import this_process\nprint(this_process(int(sys.argv[1])))"
    outer = (
        f"import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', {inner!r}, str(os.getpid())], check=True)"
    )
    log = tmp_path / "log"
    pid, created = spawn([sys.executable, "-c", outer], env={"PYTHONPATH": root}, log_path=log)
    until(lambda: pid in reap())
    owner, started = eval(log.read_text())
    assert owner == pid
    assert abs(started - created) < 1
    assert this_process()[0] == this_process(1)[0] == os.getpid()
