"""Supervising while the store is away, and right after its return."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from backend.domain.jobs import OPEN, JobStatus
from backend.errors import StoreUnavailable
from backend.jobs import supervisor
from backend.jobs.processes import is_alive, stop_group
from backend.jobs.reconcile import settle_dead
from backend.jobs.supervisor import Supervisor
from backend.store.database import Database
from backend.store.jobs import Jobs
from backend.store.schema import jobs as table
from backend.store.upgrade import upgrade
from tests.postgres import Server

SLEEP = "import time; time.sleep(60)"


class Flaky(Jobs):
    """Jobs in a store that goes away at a word, before or after it has done what it was asked."""

    away = False
    loses: str | None = None
    """The method whose answer is lost, once; the store is away from then on."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name.startswith("_") or not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.away:
                raise StoreUnavailable("away")
            answer = value(*args, **kwargs)
            if name == self.loses:
                self.loses, self.away = None, True
                raise StoreUnavailable("the connection broke")
            return answer

        return call


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Flaky]:
    database = Database(tmp_path / "w.db")
    upgrade(database)
    made = Flaky(database)
    yield made
    made.away = False
    for job in made.list():
        if job.pid is not None and job.pid_started is not None:
            stop_group(job.pid, job.pid_started, grace=0)
    database.close()


def add(jobs: Jobs, folder: Path, code: str = SLEEP) -> int:
    return jobs.add("run", [sys.executable, "-S", "-c", code], {}, "cpu", folder / "job.log")


def test_an_outage_longer_than_idleness_does_not_end_the_supervisor(
    jobs: Flaky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_STORE_RETRY_S", 0.02)
    jobs.away = True
    threading.Timer(0.5, lambda: setattr(jobs, "away", False)).start()
    job_id = Jobs(jobs._db).add("run", [sys.executable, "-S", "-c", ""], {}, "", tmp_path / "log")
    supervisor.supervise(jobs, tmp_path, interval=0.01, idle_seconds=0.1)
    assert jobs.get(job_id).status is JobStatus.FINISHED


def test_a_supervisor_with_nothing_left_to_watch_gives_up_a_store_that_stays_away(
    jobs: Flaky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_STORE_RETRY_S", 0.02)
    jobs.away = True
    with pytest.raises(StoreUnavailable):
        supervisor.supervise(jobs, tmp_path, interval=0.01, idle_seconds=0.05, outage_seconds=0.2)


@pytest.mark.parametrize("lost", ["mark_starting", "set_process"])
def test_a_job_whose_start_met_the_outage_is_started_once_and_noted(jobs: Flaky, tmp_path: Path, lost: str) -> None:
    job_id = add(jobs, tmp_path)
    watcher = Supervisor(jobs, tmp_path, stale_seconds=0.2, grace=0)
    jobs.loses = lost
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            watcher.tick()
    time.sleep(0.3)
    jobs.away = False
    jobs._db.presence.lost("away")
    for _ in range(3):
        watcher.tick()
    job = jobs.get(job_id)
    assert job.status is JobStatus.STARTING
    assert job.pid is not None
    assert job.pid_started is not None
    assert is_alive(job.pid, job.pid_started)


def test_a_worker_that_could_not_wait_longer_is_interrupted_with_its_last_line(jobs: Flaky, tmp_path: Path) -> None:
    job_id = add(jobs, tmp_path, "print('given up'); raise SystemExit(75)")
    watcher = Supervisor(jobs, tmp_path, grace=0)
    deadline = time.monotonic() + 20
    while jobs.get(job_id).status in OPEN:
        assert time.monotonic() < deadline
        watcher.tick()
        time.sleep(0.02)
    job = jobs.get(job_id)
    assert (job.status, job.error) == (JobStatus.INTERRUPTED, "given up")
    assert "resume" in str(job.hint)


@pytest.mark.slow
def test_beats_that_a_restarted_server_could_not_take_are_held_against_nobody(postgres: Server, tmp_path: Path) -> None:
    database = Database(postgres.new())
    jobs = Jobs(database)
    job_id = add(jobs, tmp_path)
    jobs.claim(job_id, 1, 1.0, "another-host")
    with database.write() as connection:
        connection.execute(update(table).values(heartbeat_at=time.time() - 500, started_at=0.0))
    postgres.away(0)
    # By a process that has just come, which knows nothing of the outage.
    database.close()
    assert settle_dead(jobs, tmp_path, stale_seconds=60) == []
    time.sleep(0.5)
    assert settle_dead(jobs, tmp_path, stale_seconds=0.2) == [job_id]
    database.close()


def test_what_this_process_saw_of_an_outage_counts_as_well(jobs: Flaky, tmp_path: Path) -> None:
    job_id = add(jobs, tmp_path)
    jobs.claim(job_id, 1, 1.0, "another-host")
    with jobs._db.write() as connection:
        connection.execute(update(table).values(heartbeat_at=time.time() - 500, started_at=0.0))
    jobs._db.presence.lost("away")
    assert settle_dead(jobs, tmp_path, stale_seconds=60) == []
    assert settle_dead(jobs, tmp_path, stale_seconds=0) == [job_id]
    assert socket.gethostname() != "another-host"
