"""The supervisor, with real processes that are really killed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backend.domain.jobs import OPEN, Job, JobStatus
from backend.errors import RunError
from backend.jobs.lock import SupervisorLock
from backend.jobs.processes import pid_exists, reap, spawn, stop_group
from backend.jobs.reconcile import reconcile
from backend.jobs.supervisor import Supervisor, ensure_supervisor
from backend.store.database import Database
from backend.store.jobs import Jobs
from backend.store.upgrade import upgrade

SLEEP = "import time; time.sleep(60)"
# Says that it was started (one line each time), then waits for a file, then ends well.
ONCE = """
import sys, time
from pathlib import Path
with open(sys.argv[1] + ".starts", "a") as file:
    file.write("x")
while not Path(sys.argv[1] + ".go").exists():
    time.sleep(0.01)
"""
PARENT = """
import signal, subprocess, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import time; time.sleep(60)" if sys.argv[2] != "stubborn" else (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
child = subprocess.Popen([sys.executable, "-S", "-c", code])
time.sleep(0.2)
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""

# As torchrun does: its worker has a session of its own.
LAUNCHER = """
import subprocess, sys, time
code = "import time; time.sleep(60)"
child = subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True)
with open(sys.argv[1], "a") as file:
    file.write(f"{child.pid} ")
time.sleep(60)
"""
# Saves for a while when it is told to stop.
SAVES = """
import signal, sys, time
def save(*_):
    time.sleep(1.5)
    open(sys.argv[1] + ".saved", "w").close()
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
open(sys.argv[1], "w").close()
while True:
    time.sleep(0.1)
"""


class Workshop:
    """A workspace with its jobs and a supervisor that is ticked by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = Database(folder / "winnow.db")
        upgrade(self.db)
        self.jobs = Jobs(self.db)
        self.supervisor = Supervisor(self.jobs, folder, grace=0.3)

    @property
    def url(self) -> str:
        return f"sqlite+pysqlite:///{self.folder / 'winnow.db'}"

    def add(self, code: str, *args: str, devices: str = "") -> int:
        argv = [sys.executable, "-S", "-c", code, *args]
        return self.jobs.add("run", argv, {}, devices, self.folder / "logs" / "job.log")

    def status(self, job_id: int) -> JobStatus:
        return self.jobs.get(job_id).status

    def until(self, condition: Callable[[], bool], *, tick: bool = True) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, [(job.id, job.status, job.error) for job in self.jobs.list()]
            if tick:
                self.supervisor.tick()
            time.sleep(0.02)

    def lock_holder(self) -> int | None:
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if "backend.supervisor" in command and str(self.folder) in command:
                return int(process.pid)
        return None


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(tmp_path)
    yield shop
    while (pid := shop.lock_holder()) is not None and pid_exists(pid):
        os.kill(pid, signal.SIGKILL)
        reap()
    for job in shop.jobs.list():
        if job.pid is not None and job.pid_started is not None and job.pid != os.getpid():
            stop_group(job.pid, job.pid_started, grace=0)
    shop.supervisor.tick()
    shop.db.close()


def own(job: Job) -> tuple[int, float]:
    assert job.pid is not None
    assert job.pid_started is not None
    return job.pid, job.pid_started


@pytest.mark.parametrize("manner", ["polite", "stubborn"])
def test_a_cancelled_job_is_gone_with_its_children(shop: Workshop, tmp_path: Path, manner: str) -> None:
    note = tmp_path / "child"
    job_id = shop.add(PARENT, str(note), manner)
    shop.until(lambda: note.exists() and note.read_text() != "")
    pid, child = own(shop.jobs.get(job_id))[0], int(note.read_text())
    assert pid_exists(pid)
    assert pid_exists(child)
    shop.jobs.request_cancel(job_id)
    shop.supervisor.tick()
    assert shop.status(job_id) is JobStatus.CANCELLED
    assert not pid_exists(pid)
    assert not pid_exists(child)


def test_a_killed_job_is_interrupted_its_children_are_stopped_and_it_can_be_resumed(
    shop: Workshop, tmp_path: Path
) -> None:
    note = tmp_path / "child"
    job_id = shop.add(PARENT, str(note), "polite")
    shop.until(lambda: note.exists() and note.read_text() != "")
    os.kill(own(shop.jobs.get(job_id))[0], signal.SIGKILL)
    shop.until(lambda: shop.status(job_id) is JobStatus.INTERRUPTED)
    assert not pid_exists(int(note.read_text()))
    job = shop.jobs.get(job_id)
    assert job.exit_code == -signal.SIGKILL
    assert job.error
    assert job.hint
    assert shop.jobs.requeue(job_id) == 2
    shop.supervisor.tick()
    assert shop.status(job_id) is JobStatus.STARTING


def test_what_left_its_session_and_lost_its_parents_is_ended_before_the_job_is_interrupted(
    shop: Workshop, tmp_path: Path
) -> None:
    note = tmp_path / "worker"
    job_id = shop.add(LAUNCHER, str(note))
    shop.until(lambda: note.exists() and note.read_text() != "")
    worker = int(note.read_text())
    os.kill(own(shop.jobs.get(job_id))[0], signal.SIGKILL)
    shop.until(lambda: shop.status(job_id) is JobStatus.INTERRUPTED)
    assert not pid_exists(worker)


def test_resume_first_ends_what_an_earlier_attempt_left_behind(shop: Workshop, tmp_path: Path) -> None:
    note = tmp_path / "worker"
    job_id = shop.add(LAUNCHER, str(note))
    shop.until(lambda: note.exists() and note.read_text() != "")
    worker, leader = int(note.read_text()), own(shop.jobs.get(job_id))[0]
    os.kill(leader, signal.SIGKILL)
    # As an older Winnow, or one on a host that has lost its process table, would leave it.
    shop.jobs.finish(job_id, JobStatus.INTERRUPTED, pid=leader)
    shop.jobs.requeue(job_id)
    supervisor = Supervisor(shop.jobs, shop.folder, grace=0.3)
    supervisor.tick()
    assert shop.status(job_id) is JobStatus.STARTING
    assert not pid_exists(worker)


@pytest.mark.parametrize("beats", [True, False], ids=["says so", "says nothing"])
def test_a_cancelled_job_that_says_it_is_still_saving_is_waited_for(
    shop: Workshop, tmp_path: Path, beats: bool
) -> None:
    note = tmp_path / "note"
    job_id = shop.add(SAVES, str(note))
    shop.until(note.exists)
    pid, started = own(shop.jobs.get(job_id))
    shop.jobs.claim(job_id, pid, started, socket.gethostname())
    shop.jobs.request_cancel(job_id)

    def ended() -> bool:
        if beats:
            shop.jobs.heartbeat(job_id, pid)
        return shop.status(job_id) is JobStatus.CANCELLED

    shop.until(ended)
    assert not pid_exists(pid)
    assert (tmp_path / "note.saved").exists() is beats


def test_jobs_on_one_device_queue_and_on_different_devices_run_at_once(shop: Workshop) -> None:
    first = shop.add(SLEEP, devices="cuda:0,1")
    blocked = shop.add(SLEEP, devices="cuda:1,2")
    behind = shop.add(SLEEP, devices="cuda:2")
    other = shop.add(SLEEP, devices="cpu")
    free = shop.add(SLEEP)
    shop.supervisor.tick()
    starting = {job.id for job in shop.jobs.list(JobStatus.STARTING)}
    # The one behind the blocked one does not overtake it on their common device.
    assert starting == {first, other, free}
    shop.jobs.request_cancel(first)
    shop.until(lambda: shop.status(blocked) is JobStatus.STARTING)
    assert shop.status(behind) is JobStatus.QUEUED


def test_a_device_is_busy_until_the_process_is_gone_whatever_the_row_says(shop: Workshop) -> None:
    first = shop.add(SLEEP, devices="cpu")
    second = shop.add(SLEEP, devices="cpu")
    shop.supervisor.tick()
    job = shop.jobs.get(first)
    shop.jobs.claim(first, *own(job), socket.gethostname())
    shop.jobs.finish(first, JobStatus.FINISHED, exit_code=0)
    shop.supervisor.tick()
    assert shop.status(second) is JobStatus.QUEUED
    stop_group(*own(job), grace=0.1)
    shop.until(lambda: shop.status(second) is JobStatus.STARTING)
    assert shop.status(first) is JobStatus.FINISHED


def test_a_bad_interpreter_fails_the_job_with_one_line_and_a_hint(shop: Workshop) -> None:
    job_id = shop.jobs.add("run", ["/no/such/python", "-V"], {}, "cpu", shop.folder / "log")
    after = shop.add(SLEEP, devices="cpu")
    shop.supervisor.tick()
    job = shop.jobs.get(job_id)
    assert job.status is JobStatus.FAILED
    assert "/no/such/python" in (job.error or "")
    assert "\n" not in (job.error or "")
    assert job.hint
    assert shop.status(after) is JobStatus.STARTING


def test_a_job_that_dies_by_itself_fails_with_its_last_words(shop: Workshop) -> None:
    job_id = shop.add("import nowhere_to_be_found")
    shop.until(lambda: shop.status(job_id) is JobStatus.FAILED)
    job = shop.jobs.get(job_id)
    assert job.exit_code == 1
    assert "nowhere_to_be_found" in (job.error or "")
    assert str(shop.folder / "logs" / "job.log") in (job.hint or "")


def test_a_foreign_command_that_succeeds_is_finished(shop: Workshop) -> None:
    job_id = shop.add("print('trained')")
    shop.until(lambda: shop.status(job_id) is JobStatus.FINISHED)
    assert shop.jobs.get(job_id).exit_code == 0


def test_a_stale_pid_of_another_process_is_not_signalled(shop: Workshop, tmp_path: Path) -> None:
    argv = [sys.executable, "-S", "-c", SLEEP]
    stranger, started = spawn(argv, env={}, log_path=tmp_path / "stranger.log")
    ours = shop.add(SLEEP)
    cancelled = shop.add(SLEEP)
    for job_id in (ours, cancelled):
        shop.jobs.claim(job_id, stranger, started - 1000, socket.gethostname())
    shop.jobs.request_cancel(cancelled)
    shop.supervisor.tick()
    assert shop.status(cancelled) is JobStatus.CANCELLED
    # Its heart still beats, so the clock may have been set; it is dead when it beats no more.
    assert shop.status(ours) is JobStatus.RUNNING
    time.sleep(0.15)
    assert reconcile(shop.jobs, shop.folder, stale_seconds=0.1) == [ours]
    assert shop.status(ours) is JobStatus.INTERRUPTED
    assert pid_exists(stranger)
    stop_group(stranger, started, grace=0)


def test_a_job_on_another_host_is_judged_by_its_heartbeat_alone(shop: Workshop) -> None:
    job_id = shop.add(SLEEP)
    shop.jobs.claim(job_id, 1, 1.0, "another-host")
    assert reconcile(shop.jobs, shop.folder, stale_seconds=30) == []
    time.sleep(0.15)
    assert reconcile(shop.jobs, shop.folder, stale_seconds=0.1) == [job_id]


def test_a_job_whose_starter_was_killed_before_it_noted_the_pid_is_given_up_in_time(shop: Workshop) -> None:
    job_id = shop.add(SLEEP)
    shop.jobs.mark_starting(job_id, socket.gethostname())
    assert reconcile(shop.jobs, shop.folder, stale_seconds=30) == []
    time.sleep(0.15)
    assert reconcile(shop.jobs, shop.folder, stale_seconds=0.1) == [job_id]
    with pytest.raises(RunError):
        shop.jobs.claim(job_id, 100, 1.0, socket.gethostname())


def test_reconcile_leaves_the_rows_to_a_living_supervisor(shop: Workshop) -> None:
    job_id = shop.add(SLEEP)
    shop.jobs.claim(job_id, 2**22 - 1, 1.0, socket.gethostname())
    lock = SupervisorLock(shop.folder)
    assert lock.acquire()
    assert not SupervisorLock(shop.folder).acquire()
    assert reconcile(shop.jobs, shop.folder) == []
    lock.release()
    assert reconcile(shop.jobs, shop.folder) == [job_id]


def test_a_killed_supervisor_is_replaced_and_its_job_is_adopted_not_started_twice(
    shop: Workshop, tmp_path: Path
) -> None:
    mark = str(tmp_path / "mark")
    job_id = shop.add(ONCE, mark, devices="cpu")
    after = shop.add("pass", devices="cpu")
    for _ in range(3):
        ensure_supervisor(shop.url, shop.folder)
    starts = Path(mark + ".starts")
    shop.until(starts.exists, tick=False)
    shop.until(lambda: shop.jobs.get(job_id).pid is not None, tick=False)
    job = shop.jobs.get(job_id)

    lock = SupervisorLock(shop.folder)
    # The two that found the lock held end by themselves; kill whichever is there, all of them.
    while lock.is_held() and (first := shop.lock_holder()) is not None:
        os.kill(first, signal.SIGKILL)
        shop.until(lambda pid=first: not pid_exists(pid), tick=False)  # type: ignore[misc]
        reap()
    assert pid_exists(own(job)[0])
    assert shop.status(after) is JobStatus.QUEUED

    ensure_supervisor(shop.url, shop.folder)
    shop.until(lock.is_held, tick=False)
    time.sleep(0.7)
    assert shop.jobs.get(job_id).pid == job.pid
    assert shop.status(job_id) is JobStatus.STARTING
    assert shop.status(after) is JobStatus.QUEUED

    Path(mark + ".go").touch()
    shop.until(lambda: not shop.jobs.list(*OPEN), tick=False)
    # Nobody is left who could know the adopted one's exit code.
    assert shop.status(job_id) is JobStatus.INTERRUPTED
    assert shop.status(after) is JobStatus.FINISHED
    assert starts.read_text() == "x"


def test_a_job_queued_while_the_supervisor_is_about_to_end_is_still_started(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.jobs import supervisor

    release = SupervisorLock.release
    added: list[int] = []

    def add_then_release(self: SupervisorLock) -> None:
        # What another command does in the last moment: it sees the lock held, and starts nobody.
        if not added:
            added.append(shop.add("pass"))
            assert SupervisorLock(shop.folder).is_held()
        release(self)

    monkeypatch.setattr(SupervisorLock, "release", add_then_release)
    supervisor.supervise(shop.jobs, shop.folder, interval=0.01, idle_seconds=0.1)
    assert shop.status(added[0]) is JobStatus.FINISHED


def test_a_supervisor_ends_when_its_workspace_is_deleted(shop: Workshop) -> None:
    from backend.jobs import supervisor

    shop.jobs.add("run", [sys.executable, "-S", "-c", SLEEP], {}, "", shop.folder / "log")
    (shop.folder / "supervisor.lock").touch()
    tick = Supervisor.tick

    def tick_then_delete(self: Supervisor) -> bool:
        result = tick(self)
        (shop.folder / "supervisor.lock").unlink(missing_ok=True)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Supervisor, "tick", tick_then_delete)
        began = time.monotonic()
        supervisor.supervise(shop.jobs, shop.folder, interval=0.01, idle_seconds=60)
    assert time.monotonic() - began < 10
