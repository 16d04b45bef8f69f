"""A training as a job: from a frozen set to a judge, killed, stopped, resumed, and refused."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from backend.cli.hints import in_command
from backend.trainer import export_sets
from backend.training.data import Rows, data_files
from backend.training.folder import claim
from backend.training.local.devices import take_place
from backend.training.local.fit import Fit
from backend.training.local.journal import read_metrics
from backend.workspace import Workspace
from tests.integration.conftest import Winnow
from tests.integration.test_bad_input import one_line
from tests.integration.test_runs import wait_for
from tests.workspaces import build_workspace

SMALL = ("--device", "cpu", "--max-pixels", 56 * 56, "--fps", 1, "--train-batch-size", 4, "--actor-learning-rate", 1e-3)

WAIT_S = 200
"""A busy machine needs a minute to load torch."""


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    """The workspace of ``winnow``: set ``mixed`` has images and videos."""
    opened = build_workspace(tmp_path / "ws", images=8, videos=2)
    opened.freeze("mixed", [1, 3])
    yield opened
    for process in processes_of(tmp_path):
        process.kill()
    opened.close()


def processes_of(folder: Path) -> list[psutil.Process]:
    """What runs for trainings of this test's folder, the supervisor aside."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        ours = any(word.startswith("backend.train") for word in words)
        if ours and any(str(folder) in word for word in words):
            found.append(process)
    return found


def start(winnow: Winnow, judge: Path, out: Path, *words: object, code: int = 0) -> Any:
    return winnow("train", "start", "--set", "mixed", "--model", judge, "--output-dir", out, *SMALL, *words, code=code)


def step_of(out: Path) -> int:
    metrics = read_metrics(out)
    return metrics[-1].step if metrics else 0


def test_from_a_frozen_set_to_a_judge_that_the_next_run_asks(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    row = start(winnow, judge_folder, out, "--max-steps", 4, "--save-steps", 2, "--wait", "--json")
    assert row.json["status"] == "finished"
    assert row.json["progress"]["step"] == row.json["progress"]["steps"] == 4
    shown = winnow("train", "show", 1, "--json").json
    assert shown["metrics"][-1]["loss"] < shown["metrics"][0]["loss"]
    assert [(c["step"], c["final"]) for c in shown["checkpoints"]] == [(2, False), (4, False), (4, True)]
    assert shown["spec"]["sets"][0]["content_hash"] == shown_hash(winnow)
    names = {path.name for path in (out / "data").glob("set-*/*")}
    assert {"rejection_sampling_train_t2i.json", "rejection_sampling_train_t2v.json"} <= names
    run = winnow(
        "train",
        "evaluate",
        1,
        "--dataset",
        "pictures",
        "--engine",
        "transformers",
        "--device",
        "cpu",
        "--max-new-tokens",
        4,
        "--limit",
        2,
        "--wait",
        "--json",
    ).json["run"]
    assert winnow("run", "show", run, "--json").json["counts"]["done"] == 2
    (evaluation,) = winnow("train", "show", 1, "--json").json["evaluations"]
    assert evaluation == {"run": run, "dataset": "pictures", "checkpoint": str(out / "final_checkpoint")}
    refused = start(winnow, judge_folder, out, code=1)
    one_line(refused, "holds another training")
    assert "training 1 finished" in winnow("train", "log", 1).out


def shown_hash(winnow: Winnow) -> str:
    return str(winnow("set", "show", "mixed", "--json").json["content_hash"])


def test_a_killed_trainer_is_interrupted_and_its_resumed_judge_is_the_same(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    start(winnow, judge_folder, out, "--max-steps", 12, "--save-steps", 3)
    wait_for(lambda: step_of(out) >= 5, WAIT_S)
    row = space.trainings.get(1)
    leader = psutil.Process(space.jobs.get(row.job_id).pid)
    family = [leader, *leader.children(recursive=True)]
    assert len(family) == 2
    # The machine kills both at once, as its out-of-memory killer or a reboot would.
    for process in family:
        os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: space.trainings.get(1).status == "interrupted", WAIT_S)
    assert not processes_of(tmp_path)
    winnow("train", "resume", 1, "--wait")
    assert "going on from" in winnow("train", "log", 1).out

    spec = space.training_launcher.view(1).spec.model_copy(update={"output_dir": str(tmp_path / "whole")})
    claim(tmp_path / "whole", "test", spec)
    export_sets(space.database, spec, tmp_path / "whole")
    assert Fit(tmp_path / "whole", spec, take_place(spec)).run()
    resumed, whole = (
        load_file(folder / "final_checkpoint" / "model.safetensors") for folder in (out, tmp_path / "whole")
    )
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_trainer_that_is_killed_alone_is_told_from_one_that_failed(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    start(winnow, judge_folder, tmp_path / "out", "--max-epochs", 500)
    leader = wait_for(lambda: space.jobs.get(space.trainings.get(1).job_id).pid, WAIT_S)
    (child,) = wait_for(lambda: psutil.Process(leader).children(), WAIT_S)
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: space.trainings.get(1).status == "failed", WAIT_S)
    assert space.trainings.get(1).error == "the trainer was killed by signal 9"
    assert "resume" in in_command(space.trainings.get(1).hint)


def test_stop_leaves_no_process_and_a_medium_that_changed_since_is_noticed(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    start(winnow, judge_folder, out, "--max-epochs", 500, "--save-steps", 2)
    wait_for(lambda: step_of(out) >= 3, WAIT_S)
    assert len(processes_of(tmp_path)) == 2
    winnow("train", "stop", 1)
    assert not processes_of(tmp_path)
    assert space.trainings.get(1).status == "cancelled"
    one_line(winnow("train", "stop", 1, code=1), "nothing to stop")
    checkpoint = space.training_launcher.view(1).best
    assert checkpoint is not None and not checkpoint.final

    medium = Path(Rows(data_files(out))[0].media[0])
    medium.write_bytes(medium.read_bytes() + b" ")
    failed = winnow("train", "resume", 1, "--wait", code=1)
    one_line(failed, "changed since the training began")
    assert space.trainings.get(1).status == "failed"
    winnow("train", "clear", 1)
    assert not out.exists()


def test_a_dry_run_prints_checks_and_command_and_starts_nothing(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    shown = start(winnow, judge_folder, tmp_path / "out", "--dry-run").out
    assert f"-m backend.training.local {tmp_path / 'out'}" in shown
    assert "ok   Data: mixed@1" in shown
    assert not (tmp_path / "out").exists()
    assert winnow("train", "list", "--json").json == []


def test_what_cannot_be_trained_is_refused_with_one_line(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for words, code, said in (
        (("--set", "nothing"), 1, "there is no set nothing"),
        (("--trainer", "other"), 2, "unknown trainer 'other'"),
        (("--preset", "other"), 2, "unknown preset 'other'"),
        (("--max-epochs", 0), 2, "--max-epochs: "),
        (("--lora-rank", 0), 2, "--lora-rank: "),
        (("--model", tmp_path / "no-model"), 1, "is no model"),
        (("--output-dir", tmp_path / "ws"), 1, "is not empty"),
    ):
        one_line(start(winnow, judge_folder, out, *words, code=code), said)
    (next((tmp_path / "ws" / "media" / "t2i").glob("000-win.jpg"))).unlink()
    refused = start(winnow, judge_folder, out, code=1)
    one_line(refused, "1 file is missing")
    assert "000-win.jpg" in refused.err
    assert winnow("train", "list", "--json").json == []
