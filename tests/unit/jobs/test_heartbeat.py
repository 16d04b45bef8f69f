"""A worker's sign of life."""

from __future__ import annotations

import time

from backend.domain.jobs import JobStatus
from backend.errors import StoreError
from backend.jobs.heartbeat import Heartbeat
from backend.store.database import Database
from backend.store.jobs import Jobs


def claimed(database: Database) -> tuple[Jobs, int]:
    jobs = Jobs(database)
    job_id = jobs.add("run", ["true"], {}, "", "log")
    jobs.claim(job_id, 100, 1.0, "here")
    return jobs, job_id


def test_it_beats_while_the_block_runs_and_stops_with_it(database: Database) -> None:
    jobs, job_id = claimed(database)
    first = jobs.get(job_id).heartbeat_at or 0
    with Heartbeat(jobs, job_id, 0.02, pid=100) as heartbeat:
        time.sleep(0.3)
        assert not heartbeat.cancelled.is_set()
    last = jobs.get(job_id).heartbeat_at or 0
    assert last - first > 0.1
    time.sleep(0.1)
    assert jobs.get(job_id).heartbeat_at == last


def test_a_cancel_request_is_heard(database: Database) -> None:
    jobs, job_id = claimed(database)
    with Heartbeat(jobs, job_id, 0.02, pid=100) as heartbeat:
        jobs.request_cancel(job_id)
        assert heartbeat.cancelled.wait(5)


def test_a_lost_job_is_noticed(database: Database) -> None:
    jobs, job_id = claimed(database)
    with Heartbeat(jobs, job_id, 0.02, pid=100) as heartbeat:
        jobs.finish(job_id, JobStatus.INTERRUPTED)
        jobs.requeue(job_id)
        jobs.claim(job_id, 200, 2.0, "here")
        assert heartbeat.cancelled.wait(5)


def test_a_store_that_is_busy_for_a_moment_is_no_cancel(database: Database) -> None:
    jobs, job_id = claimed(database)

    class Flaky(Jobs):
        beats = 0

        def heartbeat(self, job_id: int, pid: int) -> bool:
            Flaky.beats += 1
            if Flaky.beats < 3:
                raise StoreError("database is locked")
            return super().heartbeat(job_id, pid)

    first = jobs.get(job_id).heartbeat_at or 0
    with Heartbeat(Flaky(jobs._db), job_id, 0.02, pid=100) as heartbeat:
        time.sleep(0.3)
        assert not heartbeat.cancelled.is_set()
    assert (jobs.get(job_id).heartbeat_at or 0) > first
