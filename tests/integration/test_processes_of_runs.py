"""Processes of a run that are doubled, stale or killed: no prediction is lost or made twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import Winnow
from tests.integration.test_bad_input import one_line
from tests.integration.test_invariant import judgment
from tests.integration.test_runs import start, wait_for, worker_of

TOTAL = 12 * 2 * 2


@pytest.fixture
def slow_run(winnow: Winnow, visible_winners: Path, tmp_path: Path) -> Iterator[tuple[dict[str, Any], psutil.Process]]:
    """A run of 48 predictions that is going, and its worker."""
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps({"text": judgment(n)}) + "\n" for n in (1, 2)))
    run = start(winnow, script, "--order", "both", "--samples", 2, "--batch-size", 2, "--scripted-latency", 0.4)
    worker = wait_for(lambda: worker_of(run["id"], tmp_path))
    wait_for(lambda: show(winnow, run)["counts"]["done"] >= 2)
    yield run, worker
    if worker.is_running():
        worker.kill()


def show(winnow: Winnow, run: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = winnow("run", "show", run["id"], "--json").json
    return shown


def whole(winnow: Winnow, run: dict[str, Any]) -> None:
    """Every prediction is there, and once."""
    rows = winnow("run", "predictions", run["id"], "--json").lines
    assert len({(row["key"], row["order"], row["sample"]) for row in rows}) == len(rows) == TOTAL


def worker_command(run: dict[str, Any], workspace: Path) -> list[str]:
    return [sys.executable, "-m", "backend.worker", str(run["id"]), "--workspace", str(workspace)]


def supervisor_of(workspace: Path) -> psutil.Process | None:
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "backend.supervisor" in words and words[-1] == str(workspace):
            return process
    return None


def test_a_second_worker_of_a_run_is_refused_in_one_line_and_the_first_goes_on(
    winnow: Winnow, slow_run: tuple[dict[str, Any], psutil.Process], tmp_path: Path
) -> None:
    run, worker = slow_run
    command = worker_command(run, tmp_path / "ws")
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 1
    assert f"already has a worker: process {worker.pid}" in second.stderr
    assert "cancel it first" in second.stderr
    assert "Traceback" not in second.stderr
    assert worker.is_running()
    wait_for(lambda: show(winnow, run)["status"] == "finished")
    whole(winnow, run)
    # Once it has finished, a worker finds nothing to take either.
    late = subprocess.run(command, capture_output=True, text=True)
    assert late.returncode == 1 and "finished" in late.stderr
    assert show(winnow, run)["status"] == "finished"


def test_a_killed_supervisor_takes_no_run_with_it_and_the_run_finishes(
    winnow: Winnow, slow_run: tuple[dict[str, Any], psutil.Process], tmp_path: Path
) -> None:
    run, worker = slow_run
    supervisor = wait_for(lambda: supervisor_of(tmp_path / "ws"))
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(10)
    assert worker.is_running()
    assert worker_of(run["id"], tmp_path).pid == worker.pid  # type: ignore[union-attr]
    state = wait_for(lambda: (s := show(winnow, run))["status"] not in ("running",) and s)
    assert (state["status"], state["error"]) == ("finished", None)
    whole(winnow, run)


def test_a_worker_killed_with_its_supervisor_is_found_dead_and_its_run_resumes(
    winnow: Winnow, slow_run: tuple[dict[str, Any], psutil.Process], tmp_path: Path
) -> None:
    run, worker = slow_run
    supervisor = wait_for(lambda: supervisor_of(tmp_path / "ws"))
    for process in (supervisor, worker):
        os.kill(process.pid, signal.SIGKILL)
    state = wait_for(lambda: (s := show(winnow, run))["status"] == "interrupted" and s)
    assert "resume" in state["hint"]
    winnow("run", "resume", run["id"], "--wait")
    whole(winnow, run)


def test_a_stale_pid_of_another_process_is_marked_left_alone_and_the_run_resumes(
    winnow: Winnow, slow_run: tuple[dict[str, Any], psutil.Process], tmp_path: Path
) -> None:
    run, _ = slow_run
    winnow("run", "cancel", run["id"])
    stranger = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    try:
        # What is left when the machine went down and its pids were given out again.
        with sqlite3.connect(tmp_path / "ws" / "winnow.db", timeout=30) as connection:
            connection.execute(
                "UPDATE jobs SET status = 'running', pid = ?, pid_started = 1.0,"
                " heartbeat_at = 1.0, started_at = 1.0, finished_at = NULL, cancel_requested = 0",
                (stranger.pid,),
            )
        state = wait_for(lambda: (s := show(winnow, run))["status"] != "running" and s)
        assert state["status"] == "interrupted"
        winnow("run", "resume", run["id"], "--wait")
        assert stranger.poll() is None
        whole(winnow, run)
        one_line(winnow("run", "resume", run["id"], code=1), "finished")
    finally:
        stranger.kill()
        stranger.wait()
