"""A run whose engine or whole process hangs ends as interrupted, leaves nothing, and resumes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from backend.cli.hints import in_command
from tests.integration.supervised import PAIRS, Supervised
from tests.raw_server import Connection, raw


def test_a_run_whose_engine_hangs_is_ended_by_its_own_worker_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(connection: Connection) -> None:
        good = connection.server.asked("/chat/completions") <= 2
        connection.good() if good else connection.hang()

    monkeypatch.setenv("WINNOW_SILENCE_SECONDS", "2")
    home = Supervised(tmp_path)
    with raw(act) as (server,):
        run = home.start(endpoints=(server.url,), batch_size=1)
        # The limit is the command's, not the supervisor's.
        monkeypatch.setenv("WINNOW_SILENCE_SECONDS", "500")
        ended = home.ended(run)
        assert (ended.status, home.done(run)) == ("interrupted", 2)
        assert "no token and no answer" in (ended.error or "") and "resume" in in_command(ended.hint)
        assert "the run ends after 2 s" in Path(ended.log_path or "").read_text()
        server.act = Connection.good
        home.space.launcher.resume(run)
        assert home.ended(run).status == "finished" and home.done(run) == PAIRS
    home.space.close()


def test_a_process_that_does_not_even_beat_is_ended_by_the_supervisor_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": "<answer>Image 1 is better</answer>"}))
    monkeypatch.setenv("WINNOW_HEARTBEAT_SECONDS", "0.2")
    home = Supervised(tmp_path, silence_seconds=1.5)
    run = home.start(scripted_file=str(script), scripted_latency=0.3, batch_size=1)
    home.until(run, lambda _: home.done(run))
    job = home.space.runs.get(run).job_id
    assert job is not None
    worker = psutil.Process(home.space.jobs.get(job).pid)
    # As an engine does that holds the interpreter's lock.
    os.kill(worker.pid, signal.SIGSTOP)
    ended = home.ended(run)
    assert ended.status == "interrupted" and "no sign of life" in (ended.error or "")
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    home.space.launcher.resume(run)
    assert home.ended(run).status == "finished" and home.done(run) == PAIRS
    home.space.close()
