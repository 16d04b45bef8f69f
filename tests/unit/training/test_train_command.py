"""What ``winnow train`` says beside its result: warnings, and the lines of several nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.cli import main
from backend.domain.preflight import Check
from backend.trainer import export_sets
from backend.training.folder import claim, owner_of
from backend.training.lightrft import trainer as lightrft
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace
from tests.workspaces import build_workspace

UNEVEN = "is no multiple of 3"


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Nothing is started: what is queued stays so."""
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)
    home = tmp_path / "LightRFT"
    for file in (lightrft.SCRIPT, "lightrft/datasets/grm_dataset.py", "lightrft/models/grm_vl.py"):
        (home / file).parent.mkdir(parents=True)
        (home / file).touch()
    monkeypatch.setenv("LIGHTRFT_HOME", str(home))
    opened = build_workspace(tmp_path / "ws", images=12, videos=2)
    opened.freeze("signs", [1])
    yield opened
    opened.close()


def start(space: Workspace, judge: Path, *words: str) -> int:
    return main(
        [
            "--workspace",
            str(space.folder),
            "train",
            "start",
            "--set",
            "signs",
            "--model",
            str(judge),
            "--output-dir",
            str(space.folder / "out"),
            "--device",
            "cpu",
            *words,
        ]
    )


@pytest.mark.torch
def test_start_says_what_the_preflight_warns_of_on_standard_error(
    space: Workspace, judge_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    medium = space.folder / "media/t2i/000-win.jpg"
    medium.write_bytes(medium.read_bytes() + b" ")
    assert start(space, judge_folder, "--micro-train-batch-size", "3", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == "queued"
    lines = [line for line in said.err.splitlines() if line.startswith("warn ")]
    assert any("Media: 1 file was written" in line and medium.name in line for line in lines)
    assert any("Batch: " in line and UNEVEN in line for line in lines)


def test_what_is_refused_says_why_in_one_line_without_its_warnings(
    space: Workspace, judge_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (space.folder / "media/t2i/000-win.jpg").unlink()
    assert start(space, judge_folder, "--micro-train-batch-size", "3") == 1
    error, _hint = capsys.readouterr().err.strip().splitlines()
    assert "1 file is missing" in error


@pytest.mark.torch
def test_a_training_without_warnings_starts_in_silence(
    space: Workspace, judge_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(space, judge_folder) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.torch
def test_who_does_not_ask_for_the_warnings_finds_them_in_the_log(
    space: Workspace, judge_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = space.training_launcher.spec(
        ["signs"],
        trainer="local",
        model=str(judge_folder),
        device="cpu",
        output_dir=str(space.folder / "out"),
        micro_train_batch_size=3,
    )
    space.training_launcher.start(spec)
    assert UNEVEN in caplog.text


@pytest.mark.parametrize("trainer", ["lightrft", "command"])
def test_a_preset_of_five_steps_is_not_taken_for_an_epoch(
    space: Workspace, judge_folder: Path, trainer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("--command", "sh -c 'true {output}'") if trainer == "command" else ()
    start(space, judge_folder, "--trainer", trainer, "--preset", "smoke", *command, "--dry-run")
    said = capsys.readouterr().out
    level = "warn" if trainer == "command" else "FAIL"
    assert f"{level} Steps: " in said and "max_steps 5" in said


def two_nodes(space: Workspace, judge: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingSpec:
    def passed(*_: object, **_thorough: bool) -> list[Check]:
        return []

    monkeypatch.setattr("backend.training.launch.preflight", passed)
    spec = space.training_launcher.spec(
        ["signs"],
        trainer="lightrft",
        model=str(judge),
        nnodes=2,
        train_batch_size=2,
        output_dir=str(space.folder / "out"),
        validation=0.3,
    )
    assert space.training_launcher.start(spec) == 1
    return spec


def test_show_prints_the_line_of_each_node_once_the_rows_are_written(
    space: Workspace, judge_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = two_nodes(space, judge_folder, monkeypatch)
    show = ["--workspace", str(space.folder), "train", "show", "1"]
    main(show)
    assert "node 1:" not in capsys.readouterr().out
    folder = Path(spec.output_dir)
    claim(folder, owner_of(space.folder, 1), spec)
    export_sets(space.database, spec, folder)
    space.trainings.set_progress(1, {"stage": "training", "step": 0, "steps": 3})
    main(show)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("node ")]
    assert [f"--node_rank {rank} " in line for rank, line in enumerate(lines)] == [True, True]
    assert all("--eval_data imagegen-cot-reward-5k:" in line for line in lines)
    main([*show, "--json"])
    assert [
        f"node {rank}: {line}" for rank, line in enumerate(json.loads(capsys.readouterr().out)["node_lines"])
    ] == lines
