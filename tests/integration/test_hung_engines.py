"""A run whose engine or whole process hangs ends as interrupted, leaves nothing, and resumes."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import psutil

from tests.integration.conftest import Winnow
from tests.integration.test_invariant import judgment
from tests.integration.test_runs import wait_for, worker_of
from tests.raw_server import Connection, raw


def gone(worker: psutil.Process) -> bool:
    return not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_a_run_whose_engine_hangs_is_ended_by_its_own_worker_and_resumes(
    winnow: Winnow, visible_winners: Path, tmp_path: Path
) -> None:
    asleep = threading.Event()

    def act(connection: Connection) -> None:
        if asleep.is_set():
            connection.hang()
        elif connection.server.asked("/chat/completions") > 4:
            asleep.set()
            connection.hang()
        else:
            connection.good()

    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    with raw(act) as (server,):
        run = winnow(
            "run", "start", "--dataset", "d", "--model", "judge", "--endpoint", server.url,
            "--batch-size", 2, "--json", env={"WINNOW_SILENCE_SECONDS": "3"},
        ).json["id"]  # fmt: skip
        worker = wait_for(lambda: worker_of(run, tmp_path))
        wait_for(lambda: gone(worker))
        shown = winnow("run", "show", run, "--json").json
        assert (shown["status"], shown["counts"]["done"]) == ("interrupted", 4)
        assert "no token and no answer" in shown["error"] and "resume" in shown["hint"]
        assert "the run ends after 3 s" in winnow("run", "log", run).out
        asleep.clear()
        server.paths.clear()
        server.act = Connection.good
        winnow("run", "resume", run, "--wait")
    assert winnow("run", "show", run, "--json").json["counts"]["done"] == 12


def test_a_process_that_does_not_even_beat_is_ended_by_the_supervisor_and_resumes(
    winnow: Winnow, visible_winners: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": judgment(1)}))
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    limit = {"WINNOW_SILENCE_SECONDS": "3"}
    words = ["run", "start", "--dataset", "d", "--model", "m", "--engine", "scripted", "--json",
             "--scripted-file", script, "--scripted-latency", 0.4, "--batch-size", 1]  # fmt: skip
    run = winnow(*words, env=limit).json["id"]
    worker = wait_for(lambda: worker_of(run, tmp_path))
    wait_for(lambda: winnow("run", "show", run, "--json").json["counts"]["done"] >= 1)
    os.kill(worker.pid, signal.SIGSTOP)
    wait_for(lambda: gone(worker))
    shown = wait_for(
        lambda: (s := winnow("run", "show", run, "--json").json)["status"] != "running" and s
    )
    assert shown["status"] == "interrupted" and "no sign of life" in shown["error"]
    winnow("run", "resume", run, "--wait")
    assert winnow("run", "show", run, "--json").json["counts"]["done"] == 12
