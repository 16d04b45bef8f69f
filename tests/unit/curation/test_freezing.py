"""Freezes that are killed, that meet each other, and that are taken for dead."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from backend.curation import sets as freezing
from backend.curation.sets import clear_abandoned, freeze, list_sets
from backend.errors import ReviewError, StoreError
from backend.jobs.processes import this_process
from backend.store.database import Database
from backend.store.schema import curated_sets, set_items
from backend.store.sets import Sets

Judge = Callable[..., int]


@pytest.fixture
def judged(db: Database, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(freezing, "CHUNK", 2)
    for number in range(8):
        judge(number, run=1 + number % 2)
    return db


def left(db: Database) -> tuple[int, int]:
    """How many sets and items there are."""
    with db.read() as connection:
        return (
            connection.execute(select(func.count()).select_from(curated_sets)).scalar_one(),
            connection.execute(select(func.count()).select_from(set_items)).scalar_one(),
        )


def freeze_until(db: Database, chunk: int, number: signal.Signals) -> int:
    """Freeze in a process of its own, which gets that signal after so many chunks; its pid."""
    url = db.url.render_as_string(hide_password=False)
    pid = os.fork()
    if pid:
        return pid
    try:
        done: list[int] = []

        def progress(items: int) -> None:
            done.append(items)
            if len(done) == chunk:
                os.kill(os.getpid(), number)

        freeze(Database(url), "s", [1], progress=progress)
    finally:
        os._exit(1)


@pytest.mark.parametrize("clear", [lambda db: freeze(db, "other", [2]), clear_abandoned])
def test_a_killed_freeze_uses_up_no_version_and_what_it_left_is_cleared(
    judged: Database, clear: Callable[[Database], object]
) -> None:
    pid = freeze_until(judged, 1, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert left(judged) == (1, 2)
    assert list_sets(judged) == []
    clear(judged)
    assert left(judged) in ((0, 0), (1, 4))
    assert freeze(judged, "s", [1]).version == 1


def test_a_freeze_that_goes_on_in_another_process_is_left_alone(judged: Database) -> None:
    pid = freeze_until(judged, 1, signal.SIGSTOP)
    try:
        os.waitpid(pid, os.WUNTRACED)
        assert clear_abandoned(judged) == 0
        assert freeze(judged, "s", [2]).version == 1
        assert left(judged) == (2, 2 + 4)
    finally:
        os.kill(pid, signal.SIGCONT)
        os.waitpid(pid, 0)
    assert {(row.version, row.counts["items"]) for row in list_sets(judged)} == {(1, 4), (2, 4)}


def test_freezes_at_once_of_one_name_get_a_version_each_and_of_one_content_the_same(judged: Database) -> None:
    together, found = threading.Barrier(6), []

    def work(runs: list[int]) -> None:
        waited: list[int] = []

        def progress(items: int) -> None:
            if not waited:
                waited.append(items)
                together.wait(timeout=20)

        found.append((tuple(runs), freeze(judged, "s", runs, progress=progress).version))

    threads = [threading.Thread(target=work, args=(runs,)) for runs in ([1], [2], [1, 2], [1], [2], [1, 2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == 6
    versions = dict(found)
    assert all(versions[runs] == version for runs, version in found)
    assert sorted(versions.values()) == [1, 2, 3]
    assert {row.version for row in list_sets(judged)} == {1, 2, 3}
    assert left(judged) == (3, 4 + 4 + 8)


def test_what_this_process_failed_to_take_back_is_cleared_by_its_next_freeze(
    judged: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError("the database is away")

    def crash(_items: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "_discard", away)
        with pytest.raises(KeyboardInterrupt):
            freeze(judged, "s", [1], progress=crash)
    assert left(judged) == (1, 2)
    assert freeze(judged, "s", [1]).version == 1
    assert left(judged) == (1, 4)


def test_who_was_taken_for_dead_and_is_not_freezes_nothing_that_is_half_gone(judged: Database) -> None:
    sets, chunks = Sets(judged), []

    def progress(items: int) -> None:
        chunks.append(items)
        if len(chunks) == 1:
            [row] = sets.unfinished()
            with judged.write() as connection:
                assert sets.give_up(connection, row.id)

    with pytest.raises(ReviewError, match="cleared away") as caught:
        freeze(judged, "s", [1], progress=progress)
    assert caught.value.hint
    assert left(judged) == (0, 0)


def test_another_hosts_freeze_counts_as_dead_when_it_was_silent_for_long() -> None:
    pid, started = this_process()
    owner = {"host": "elsewhere", "pid": pid, "started": started, "token": "t"}
    now = freezing.time.time()
    assert freezing._goes_on({**owner, "beat_at": now - 60}, now)
    assert not freezing._goes_on({**owner, "beat_at": now - 3600}, now)
    # A pid that is used again is not who it was.
    here = {**owner, "host": socket.gethostname(), "pid": 1, "started": 1.0}
    assert not freezing._goes_on({**here, "beat_at": now - 3600}, now)
