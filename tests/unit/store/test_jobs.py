"""The rows of the jobs: who owns one, and which way it may go."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from backend.domain.jobs import OPEN, RESUMABLE, JobStatus, can_move, took_s
from backend.errors import NotFound, RunError
from backend.hints import Hint
from backend.store.database import Database
from backend.store.jobs import Jobs
from backend.store.schema import jobs as table
from backend.store.schema import metadata


@pytest.fixture
def db(database: Database) -> Database:
    return database


@pytest.fixture
def jobs(db: Database) -> Jobs:
    return Jobs(db)


def queue(jobs: Jobs) -> int:
    return jobs.add("run", ["true", "a b"], {"X": "1"}, "cpu", "/tmp/log")


def test_a_job_is_stored_as_it_was_given(jobs: Jobs) -> None:
    job = jobs.get(queue(jobs))
    assert (job.status, job.argv, job.env) == (JobStatus.QUEUED, ("true", "a b"), {"X": "1"})
    assert (job.devices, job.attempt, job.cancel_requested, job.pid) == ("cpu", 1, False, None)


def test_a_job_added_in_a_transaction_vanishes_with_it(db: Database, jobs: Jobs) -> None:
    with pytest.raises(RuntimeError), db.write() as connection:
        jobs.add("run", ["true"], {}, "", "log", connection=connection)
        raise RuntimeError
    assert jobs.list() == []


def test_list_selects_by_status_oldest_first(jobs: Jobs) -> None:
    first, second, third = queue(jobs), queue(jobs), queue(jobs)
    jobs.request_cancel(second)
    assert [job.id for job in jobs.list(JobStatus.QUEUED)] == [first, third]
    assert [job.id for job in jobs.list()] == [first, second, third]


def test_there_is_no_unknown_job(jobs: Jobs) -> None:
    with pytest.raises(NotFound):
        jobs.get(7)
    with pytest.raises(NotFound):
        jobs.request_cancel(7)


def test_the_second_worker_for_one_job_is_refused(jobs: Jobs) -> None:
    job_id = queue(jobs)
    assert jobs.claim(job_id, 100, 1.0, "here").status is JobStatus.RUNNING
    with pytest.raises(RunError, match="process 100") as caught:
        jobs.claim(job_id, 200, 2.0, "here")
    assert caught.value.hint
    with pytest.raises(RunError):
        jobs.claim(job_id, 100, 1.0, "elsewhere")
    assert jobs.claim(job_id, 100, 1.0, "here").pid == 100


def test_of_many_workers_that_claim_at_once_one_gets_the_job(jobs: Jobs) -> None:
    job_id = queue(jobs)
    jobs.mark_starting(job_id, "here")
    won: list[int] = []

    def claim(pid: int) -> None:
        try:
            jobs.claim(job_id, pid, 1.0, "here")
        except RunError:
            return
        won.append(pid)

    threads = [threading.Thread(target=claim, args=(pid,)) for pid in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert jobs.get(job_id).pid == won[0]


def test_a_starting_job_belongs_to_the_process_that_was_started(jobs: Jobs) -> None:
    job_id = queue(jobs)
    assert jobs.mark_starting(job_id, "here")
    assert not jobs.mark_starting(job_id, "here")
    assert jobs.set_process(job_id, 100, 1.0)
    with pytest.raises(RunError):
        jobs.claim(job_id, 200, 1.0, "here")
    jobs.claim(job_id, 100, 1.0, "here")


def test_a_worker_may_claim_before_its_starter_wrote_its_pid_down(jobs: Jobs) -> None:
    job_id = queue(jobs)
    jobs.mark_starting(job_id, "here")
    jobs.claim(job_id, 100, 1.0, "here")
    assert jobs.set_process(job_id, 100, 1.0)
    assert not jobs.set_process(job_id, 200, 1.0)
    assert jobs.get(job_id).pid == 100


def test_heartbeat_says_stop_after_a_cancel_and_to_everybody_else(jobs: Jobs) -> None:
    job_id = queue(jobs)
    assert not jobs.heartbeat(job_id, 100)
    jobs.claim(job_id, 100, 1.0, "here")
    before = jobs.get(job_id).heartbeat_at
    assert jobs.heartbeat(job_id, 100)
    after = jobs.get(job_id).heartbeat_at
    assert before is not None
    assert after is not None
    assert after > before
    assert not jobs.heartbeat(job_id, 200)
    assert jobs.request_cancel(job_id) is JobStatus.RUNNING
    assert not jobs.heartbeat(job_id, 100)


def test_a_queued_job_is_cancelled_at_once_and_never_started(jobs: Jobs) -> None:
    job_id = queue(jobs)
    assert jobs.request_cancel(job_id) is JobStatus.CANCELLED
    assert jobs.request_cancel(job_id) is JobStatus.CANCELLED
    assert not jobs.mark_starting(job_id, "here")
    with pytest.raises(RunError):
        jobs.claim(job_id, 100, 1.0, "here")


def test_an_ended_job_cannot_be_cancelled(jobs: Jobs) -> None:
    job_id = queue(jobs)
    jobs.claim(job_id, 100, 1.0, "here")
    jobs.finish(job_id, JobStatus.FINISHED, exit_code=0)
    with pytest.raises(RunError, match="finished"):
        jobs.request_cancel(job_id)


def test_the_first_end_counts_and_only_the_owners(jobs: Jobs) -> None:
    job_id = queue(jobs)
    jobs.claim(job_id, 100, 1.0, "here")
    assert not jobs.finish(job_id, JobStatus.FINISHED, pid=200)
    assert jobs.finish(job_id, JobStatus.FAILED, exit_code=1, error="e", hint="h", pid=100)
    assert not jobs.finish(job_id, JobStatus.FINISHED, pid=100)
    job = jobs.get(job_id)
    assert (job.status, job.exit_code, job.error, job.hint) == (JobStatus.FAILED, 1, "e", "h")
    assert job.finished_at is not None


def test_a_hint_comes_back_with_what_it_refers_to_and_an_older_one_as_its_words(jobs: Jobs, db: Database) -> None:
    job_id = queue(jobs)
    jobs.claim(job_id, 100, 1.0, "here")
    hint = Hint("{RESUME_RUN} goes on with {limit:3}", on=7)
    jobs.finish(job_id, JobStatus.FAILED, exit_code=1, error="e", hint=hint)
    assert jobs.get(job_id).hint == hint
    older = "`winnow run resume 7` goes on"
    with db.write() as connection:
        connection.execute(update(table).values(hint=older))
    assert jobs.get(job_id).hint == older


def test_a_resumed_job_starts_afresh_as_the_next_attempt(jobs: Jobs) -> None:
    job_id = queue(jobs)
    for status in RESUMABLE:
        jobs.claim(job_id, 100, 1.0, "here")
        if status is JobStatus.CANCELLED:
            jobs.request_cancel(job_id)
        jobs.finish(job_id, status, exit_code=1, error="e", hint="h")
        attempt = jobs.requeue(job_id)
        job = jobs.get(job_id)
        assert job.attempt == attempt
        assert job.status is JobStatus.QUEUED
        assert not job.cancel_requested
        left = (job.pid, job.host, job.heartbeat_at, job.exit_code, job.error, job.finished_at)
        assert left == (None,) * 6
        assert not jobs.heartbeat(job_id, 100)
    assert jobs.get(job_id).attempt == 1 + len(RESUMABLE)


def test_only_an_ended_job_is_resumed_a_finished_one_for_what_failed_in_it(jobs: Jobs) -> None:
    job_id = queue(jobs)
    with pytest.raises(RunError, match="queued"):
        jobs.requeue(job_id)
    jobs.claim(job_id, 100, 1.0, "here")
    with pytest.raises(RunError, match="running"):
        jobs.requeue(job_id)
    jobs.finish(job_id, JobStatus.FINISHED)
    assert jobs.requeue(job_id) == 2


@given(st.sampled_from(JobStatus), st.sampled_from(JobStatus))
def test_an_ended_job_moves_only_back_into_the_queue(before: JobStatus, after: JobStatus) -> None:
    if before not in OPEN and can_move(before, after):
        assert before in RESUMABLE
        assert after is JobStatus.QUEUED
    assert not can_move(before, before)


@settings(max_examples=25, deadline=None)
@given(
    attempts=st.lists(
        st.tuples(
            st.floats(0, 1e4),  # of work
            st.floats(0, 1e5),  # until somebody noticed that it is dead
            st.floats(0, 1e5),  # until somebody resumed it
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_a_job_took_is_the_work_of_all_its_attempts_and_no_pause(
    attempts: list[tuple[float, float, float]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        now = [1_000.0]
        patch.setattr(time, "time", lambda: now[0])
        db = Database(Path(folder) / "w.db")
        metadata.create_all(db.engine)
        jobs = Jobs(db)
        number = queue(jobs)
        for place, (work, unnoticed, pause) in enumerate(attempts):
            last = place == len(attempts) - 1
            jobs.claim(number, pid=place + 1, pid_started=1.0, host="h")
            now[0] += work
            jobs.heartbeat(number, place + 1)
            now[0] += 0 if last else unnoticed
            jobs.finish(number, JobStatus.FINISHED if last else JobStatus.INTERRUPTED)
            if not last:
                now[0] += pause
                jobs.requeue(number)
        job = jobs.get(number)
        took = took_s(job.status, job.started_at, job.heartbeat_at, job.finished_at, job.earlier_s)
        assert took == pytest.approx(sum(work for work, _, _ in attempts), abs=1e-6)  # of a clock
        db.close()


def test_how_long_a_job_took_is_not_said_before_it_ends_nor_where_it_is_not_known(db: Database, jobs: Jobs) -> None:
    def took(number: int) -> float | None:
        job = jobs.get(number)
        return took_s(job.status, job.started_at, job.heartbeat_at, job.finished_at, job.earlier_s)

    number = queue(jobs)
    assert took(number) is None
    jobs.claim(number, pid=1, pid_started=1.0, host="h")
    assert took(number) is None
    jobs.finish(number, JobStatus.FINISHED)
    assert took(number) == pytest.approx(0, abs=5)
    # A job that an older Winnow resumed: what its first attempt took was overwritten.
    with db.write() as connection:
        connection.execute(update(table).values(earlier_s=None))
    assert took(number) is None
    jobs.requeue(number)
    assert jobs.get(number).earlier_s is None
    never = queue(jobs)
    jobs.request_cancel(never)
    assert took(never) is None
