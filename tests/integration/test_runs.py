"""Runs as a person meets them: killed, resumed, cancelled, re-filtered, and given bad input."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import Winnow
from tests.integration.test_invariant import judgment


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "script.jsonl"
    file.write_text("".join(json.dumps({"text": judgment(n)}) + "\n" for n in (1, 2)))
    return file


def start(winnow: Winnow, script: Path, *words: object) -> dict[str, Any]:
    result: dict[str, Any] = winnow(
        "run",
        "start",
        "--dataset",
        "d",
        "--model",
        "scripted",
        "--engine",
        "scripted",
        "--scripted-file",
        script,
        "--json",
        *words,
    ).json
    return result


def worker_of(run_id: int, folder: Path) -> psutil.Process | None:
    """The worker of a run in a test's own folder: other tests, and other people, have runs as well."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "backend.worker" not in words or not words[-1].startswith(str(folder)):
            continue
        if words[words.index("backend.worker") + 1] == str(run_id):
            return process
    return None


def wait_for(what: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def test_a_killed_run_resumes_and_neither_loses_nor_doubles_a_prediction(
    winnow: Winnow, visible_winners: Path, script: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    run = start(winnow, script, "--order", "both", "--samples", 4, "--batch-size", 2, "--scripted-latency", 0.4)
    worker = wait_for(lambda: worker_of(run["id"], tmp_path))
    wait_for(lambda: winnow("run", "show", run["id"], "--json").json["counts"]["done"] >= 4)
    os.kill(worker.pid, signal.SIGKILL)
    state = wait_for(lambda: (s := winnow("run", "show", run["id"], "--json").json)["status"] == "interrupted" and s)
    before = winnow("run", "predictions", run["id"], "--json").lines
    assert 4 <= len(before) < 96
    assert state["hint"]
    winnow("run", "resume", run["id"], "--wait")
    after = winnow("run", "predictions", run["id"], "--json").lines
    keys = {(row["key"], row["order"], row["sample"]) for row in after}
    assert len(after) == len(keys) == 12 * 2 * 4
    assert {row["id"] for row in before} <= {row["id"] for row in after}


def test_a_cancelled_run_leaves_no_process_and_can_be_resumed(
    winnow: Winnow, visible_winners: Path, script: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    run = start(winnow, script, "--batch-size", 1, "--scripted-latency", 3)
    worker = wait_for(lambda: worker_of(run["id"], tmp_path))
    winnow("run", "cancel", run["id"])
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert winnow("run", "show", run["id"], "--json").json["status"] == "cancelled"
    winnow("run", "cancel", run["id"], code=1)


def test_a_broken_image_fails_its_pair_with_the_reason_and_is_tried_again(
    winnow: Winnow, visible_winners: Path, script: Path
) -> None:
    broken = visible_winners.parent / "03x.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:40])
    words = ["dataset", "add", f"hpdv3:{visible_winners}", "--name", "d"]
    assert winnow(*words, "--json").json["unreadable"] in (0, 1)
    run = start(winnow, script, "--wait")
    assert (run["status"], run["counts"]["done"], run["counts"]["failed"]) == ("finished", 11, 1)
    shown = winnow("run", "show", run["id"], "--json").json
    assert "03x.png" in shown["failures"][0]["error"]
    broken.write_bytes(whole)
    winnow("run", "resume", run["id"], "--wait")
    counts = winnow("run", "show", run["id"], "--json").json["counts"]
    assert (counts["done"], counts["failed"]) == (12, 0)


def test_another_policy_re_decides_a_finished_run_and_keeps_rulings(
    winnow: Winnow, visible_winners: Path, script: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    run = start(winnow, script, "--order", "dataset", "--wait")
    accepted = run["counts"]["accepted"]
    assert accepted == 6
    rejected = winnow("run", "predictions", run["id"], "--decision", "rejected", "--json").lines[0]
    winnow("review", "add", run["id"], "--prediction", rejected["id"], "--ruling", "accept")
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"min_margin": 6}))
    counts = winnow("run", "filter", run["id"], "--policy", policy, "--json").json["counts"]
    assert counts["accepted"] == 0
    assert counts["effective_accepted"] == 1
    assert counts["rejected_by_reason"]["low_margin"] == accepted
    again = winnow("run", "filter", run["id"], "--policy", "agreement", "--json").json["counts"]
    assert again["accepted"] == accepted


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["dataset", "add", "nosuch:x.json", "--name", "d"], 1, "nosuch"),
        (["dataset", "add", "hpdv3:missing.json", "--name", "d"], 1, "missing.json"),
        (["dataset", "show", "nosuch"], 1, "nosuch"),
        (["run", "show", "99"], 1, "99"),
        (["run", "start", "--dataset", "nosuch", "--model", "m"], 1, "nosuch"),
        (["run", "filter", "1", "--policy", "nosuch"], 1, "nosuch"),
        (["set", "create", "s", "--run", "99"], 1, "99"),
        (["export", "nosuch", "--format", "lightrft", "--out", "o"], 1, "nosuch"),
        (["export", "nosuch", "--format", "yaml", "--out", "o"], 2, "yaml"),
        (["run", "start"], 2, "--dataset"),
        (["nosuch"], 2, "nosuch"),
    ],
)
def test_bad_input_is_one_line_and_the_right_exit_code(winnow: Winnow, words: list[str], code: int, said: str) -> None:
    result = winnow(*words, code=code)
    assert said in result.err
    if code == 1:
        assert result.err.startswith("error: ")
        assert len(result.err.strip().splitlines()) <= 2


def test_a_model_path_that_is_no_model_is_refused_before_a_process_is_started(
    winnow: Winnow, visible_winners: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    words = ["run", "start", "--dataset", "d", "--engine", "transformers", "--model", tmp_path]
    assert "config.json" in winnow(*words, code=1).err
    assert winnow("run", "list", "--json").json == []


def test_options_may_be_spelled_with_underscores(winnow: Winnow, visible_winners: Path, script: Path) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    run = start(winnow, script, "--batch_size", 3, "--max_new_tokens=77", "--limit", 1, "--wait")
    options = winnow("run", "show", run["id"], "--json").json["spec"]["options"]
    assert (options["batch_size"], options["max_new_tokens"]) == (3, 77)
