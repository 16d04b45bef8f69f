"""Variables of existing scripts: read by what stands for one, told, and beaten by an option."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.cli import files, loop, main
from backend.cli.variables import OF_DATA, OF_TRAINING
from backend.engines.registry import ResolvedEngine
from backend.export.exporter import export_set
from backend.inference.launch import Launcher, RunRequest
from backend.loop import LoopSpec
from backend.store.sets import Sets
from backend.workspace import Workspace
from tests.workspaces import build_workspace

PREPARE = {
    "MODEL_PATH": "m/x",
    "DATA_PATH": "rapidata-t2v:a,rapidata-t2v:b",
    "DATA_ROOT": "/data",
    "OUTPUT_DIR": "out",
    "INFERENCE_BATCH_SIZE": "12",
    "MAX_NEW_TOKENS": "99",
    "TASK_INSTRUCTION": "Which? {prompt}",
    "VIDEO_FPS": "4",
    "GPUS_PER_NODE": "8",
}
TRAINING = {
    "MODEL_PATH": "m/x",
    "LR": "1e-5",
    "MAX_EPOCHS": "2",
    "TBS": "16",
    "MICRO_BATCH_SIZE": "2",
    "MAX_LENGTH": "8196",
    "WARMUP": "0.1",
    "VIDEO_FPS": "4",
    "MAX_PIXELS": "3136",
    "TASK_INSTRUCTION": "Which? {prompt}",
    "GPUS_PER_NODE": "4",
    "NNODES": "2",
    "NODE_RANK": "1",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "20091",
}
EVERY = {*OF_TRAINING.values(), *OF_DATA.values(), *PREPARE}


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in EVERY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("ws"), images=4, videos=2)
    opened.freeze("images", [1])
    opened.freeze("clips", [3])
    yield opened
    opened.close()


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What ``prepare`` asked for: the files and root of its dataset, and the run."""
    found: list[Any] = []

    def dataset(_space: Workspace, _kind: object, *files: object) -> SimpleNamespace:
        found.append(files)
        return SimpleNamespace(name="d")

    def start(_launcher: Launcher, request: RunRequest) -> tuple[int, ResolvedEngine]:
        found.append(request)
        raise SystemExit(0)

    monkeypatch.setattr(files, "_dataset", dataset)
    monkeypatch.setattr(Launcher, "start", start)
    return found


def test_prepare_is_told_by_the_variables_of_the_script_and_says_which(
    prepared: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_all(monkeypatch, PREPARE)
    with pytest.raises(SystemExit):
        main(["prepare", "t2v"])
    (data, root, _links), request = prepared
    assert (data, root) == (PREPARE["DATA_PATH"], Path("/data"))
    options = request.options
    assert (request.model, request.instruction) == ("m/x", "Which? {prompt}")
    assert (options.batch_size, options.max_new_tokens) == (12, 99)
    assert (options.video_fps, options.tensor_parallel_size) == (4.0, 8)
    said = capsys.readouterr().err
    for name, value in PREPARE.items():
        assert f"{name}={value}" in said


def test_an_option_wins_over_its_variable_which_is_not_told_then(
    prepared: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_all(monkeypatch, PREPARE)
    with pytest.raises(SystemExit):
        main(
            [
                "prepare",
                "t2v",
                "--model_path",
                "other/one",
                "--batch_size",
                "3",
                "--video_fps",
                "1",
                "--output_path",
                "samples.json",
            ]
        )
    request = prepared[1]
    assert (request.model, request.options.batch_size, request.options.video_fps) == ("other/one", 3, 1.0)
    said = capsys.readouterr().err
    assert "MAX_NEW_TOKENS=99" in said
    for name in ("MODEL_PATH", "INFERENCE_BATCH_SIZE", "VIDEO_FPS", "OUTPUT_DIR"):
        assert f"{name}=" not in said


def test_frames_a_second_of_the_environment_mean_nothing_to_images(
    prepared: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_all(monkeypatch, PREPARE)
    with pytest.raises(SystemExit):
        main(["prepare", "t2i"])
    assert "VIDEO_FPS" not in capsys.readouterr().err
    assert main(["prepare", "t2i", "--video_fps", "2"]) == 2
    assert "images have no frames" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INFERENCE_BATCH_SIZE", "many"),
        ("INFERENCE_BATCH_SIZE", "0"),
        ("VIDEO_FPS", "nan"),
        ("GPUS_PER_NODE", "-1"),
        ("TASK_INSTRUCTION", "no place"),
        ("MAX_NEW_TOKENS", "1e3"),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_by_its_name(
    prepared: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    set_all(monkeypatch, PREPARE | {name: value})
    assert main(["prepare", "t2v"]) == 2
    assert name in capsys.readouterr().err
    assert prepared == []


def spec_of(space: Workspace, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    """The spec of a training that would be started, and what was said on standard error."""
    main(["train", "start", *words, "--dry-run", "--json", "--workspace", str(space.folder)])
    captured = capsys.readouterr()
    assert captured.out, captured.err
    return json.loads(captured.out)["spec"], captured.err


def test_a_training_by_lightrft_is_told_by_the_variables_of_its_scripts(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_all(monkeypatch, TRAINING | {"OUTPUT_DIR": "/o"})
    words = ("--set", "images", "--trainer", "lightrft")
    spec, said = spec_of(space, capsys, *words)
    for name, variable in OF_TRAINING.items():
        expected = (TRAINING | {"OUTPUT_DIR": "/o"})[variable]
        assert spec[name] == type(spec[name])(expected), name
        assert f"{variable}={expected}" in said
    spec, said = spec_of(space, capsys, *words, "--learning-rate", "3e-6", "--nnodes", "4")
    assert (spec["actor_learning_rate"], spec["nnodes"], spec["node_rank"]) == (3e-6, 4, 1)
    assert "LR=" not in said and "NNODES=" not in said


@pytest.mark.parametrize("trainer", ["local", "command"])
def test_other_trainers_take_nothing_from_variables_that_belong_to_nobody(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trainer: str
) -> None:
    words = ("--set", "images", "--model", "m/x", "--output-dir", "/o", "--trainer", trainer, "--command", "true")
    before, _ = spec_of(space, capsys, *words)
    for name in EVERY:
        monkeypatch.setenv(name, "nonsense")
    after, said = spec_of(space, capsys, *words)
    assert after == before
    assert "environment" not in said
    assert main(["train", "start", "--set", "images", "--trainer", trainer]) == 2
    assert "--model" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("LR", "fast"), ("LR", "-1"), ("NNODES", "0"), ("MASTER_PORT", "99999")])
def test_a_variable_of_a_training_that_cannot_be_used_is_refused_by_its_name(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    set_all(monkeypatch, {name: value})
    monkeypatch.setattr("backend.loop.checks.training_preflight", lambda *_: [])
    words = ["--model", "m/x", "--trainer", "lightrft", "--workspace", str(space.folder)]
    assert main(["train", "start", "--set", "images", "--output-dir", "/o", *words]) == 2
    said = capsys.readouterr().err
    assert name in said and "error: --" not in said
    assert main(["loop", "--dataset", "pictures", *words]) == 2
    assert f"error: {name}: " in capsys.readouterr().err


def test_a_loop_that_trains_by_lightrft_reads_them_too_and_no_other_loop(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[LoopSpec] = []

    def start(_space: Workspace, spec: LoopSpec) -> int:
        found.append(spec)
        raise SystemExit(0)

    monkeypatch.setattr(loop, "start", start)
    set_all(monkeypatch, TRAINING | {"OUTPUT_DIR": "/o"})
    for trainer in ("lightrft", "local"):
        with pytest.raises(SystemExit):
            main(["loop", "--dataset", "d", "--model", "m/y", "--trainer", trainer, "--train", "max_epochs=5"])
    by_lightrft, other = found
    assert by_lightrft.training["nnodes"] == "2" and by_lightrft.training["max_epochs"] == "5"
    assert (by_lightrft.model, by_lightrft.output_dir) == ("m/y", None)
    assert other.training == {"device": "auto", "max_epochs": "5"}
    assert "MAX_EPOCHS" not in capsys.readouterr().err


def test_a_training_file_stands_for_the_set_that_it_holds(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    paths = []
    for name in ("images", "clips"):
        row = Sets(space.database).named(name)
        export_set(space.database, row, format="lightrft", out=tmp_path / name)
        paths.append(tmp_path / name / "rejection_sampling_train.json")
    set_all(monkeypatch, {"T2I_TRAINING_DATA_PATH": str(paths[0]), "T2V_TRAINING_DATA_PATH": str(paths[1])})
    words = ("--trainer", "lightrft", "--model", "m/x", "--output-dir", "/o")
    spec, said = spec_of(space, capsys, *words)
    assert [ref["name"] for ref in spec["sets"]] == ["images", "clips"]
    assert f"T2I_TRAINING_DATA_PATH={paths[0]}" in said
    spec, said = spec_of(space, capsys, *words, "--set", "clips")
    assert [ref["name"] for ref in spec["sets"]] == ["clips"], "a set that is named wins"
    assert "TRAINING_DATA_PATH" not in said
    paths[0].write_text(paths[0].read_text().replace("Image 1", "Image 2"))
    command = ["train", "start", *words, "--workspace", str(space.folder)]
    assert main(command) == 1
    assert "is not as it was exported" in capsys.readouterr().err
    monkeypatch.setenv("T2I_TRAINING_DATA_PATH", str(tmp_path / "other.json"))
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "no training file" in said and "--set" in said
