"""The documented steps of the scripts that Winnow stands for, by Winnow's commands."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.demo.dataset import write_demo
from tests.integration.conftest import Winnow

PAIRS = 8
INSTRUCTION = "Which of the two is better? {prompt}"
TRAINER = """
import json, pathlib, shutil, sys
data, model, out = sys.argv[1:]
assert json.loads(pathlib.Path(data).read_text())
shutil.copytree(model, out, dirs_exist_ok=True)
"""


class Files:
    """A dataset, a judge that always prefers the first, and a program that trains."""

    def __init__(self, folder: Path, task: str) -> None:
        images, videos = (PAIRS, 2) if task == "t2i" else (2, PAIRS)
        made = write_demo(folder / "demo", image_pairs=images, video_pairs=videos, seed=3)
        self.data = f"hpdv3:{made.images}" if task == "t2i" else f"rapidata-t2v:{made.videos}"
        self.root = Path(made.images if task == "t2i" else made.videos).parent
        self.noun = "Image" if task == "t2i" else "Video"
        self.texts = folder / "texts.jsonl"
        text = f"<think>so</think>\n<answer>{self.noun} 1 is better</answer>"
        self.texts.write_text(json.dumps({"text": text}) + "\n")
        self.judge = folder / "judge"
        self.judge.mkdir()
        (self.judge / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
        (self.judge / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
        (folder / "trainer.py").write_text(TRAINER)
        self.command = shlex.join([sys.executable, str(folder / "trainer.py"), "{data}", "{model}", "{output}"])


@pytest.fixture(params=["t2i", "t2v"])
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def files(tmp_path: Path, task: str) -> Files:
    return Files(tmp_path, task)


def check_rows(rows: list[Any], files: Files, kept: int) -> None:
    assert len(rows) == kept > 0
    for row in rows:
        human, answer = (turn["value"] for turn in row["conversations"])
        assert answer.endswith(f"<answer>{files.noun} 1 is better</answer>")
        assert human.startswith("Which of the two is better?") and "{prompt}" not in human
        assert len(row["images"]) == 2 and all(Path(path).is_file() for path in row["images"])


def test_inference_and_filter_then_conversion_then_training(
    winnow: Winnow, files: Files, task: str, tmp_path: Path
) -> None:
    samples, training = tmp_path / "two" / "filtered_samples.json", tmp_path / "two" / "train.json"
    fps = ["--video_fps", "2.0"] if task == "t2v" else []
    said = winnow(
        "prepare",
        task,
        "--model_path",
        files.judge,
        "--data_path",
        files.data,
        "--output_path",
        samples,
        "--batch_size",
        8,
        "--max_new_tokens",
        2048,
        "--use_cot",
        "--task_instruction",
        INSTRUCTION,
        "--tensor_parallel_size",
        2,
        "--gpu_memory_utilization",
        0.9,
        *fps,
        "--engine",
        "scripted",
        "--scripted_file",
        files.texts,
    ).out
    kept = len(json.loads(samples.read_text()))
    assert sorted(path.name for path in samples.parent.iterdir()) == [
        "filtered_samples.json",
        "filtered_samples_stats.txt",
    ]
    assert f"Filtered samples: {kept}" in (samples.parent / "filtered_samples_stats.txt").read_text()

    root = ["--data_root", files.root] if task == "t2i" else []
    winnow(
        "convert",
        task,
        "--filtered_samples_path",
        samples,
        "--output_path",
        training,
        *root,
        "--task_instruction",
        INSTRUCTION,
        *fps,
    )
    rows = json.loads(training.read_text())
    check_rows(rows, files, kept)
    assert {row.get("video_fps") for row in rows} == {2.0 if task == "t2v" else None}

    # The command that was named: its set, to the last word.
    (line,) = (line for line in said.splitlines() if "winnow train start" in line)
    named = shlex.split(line.partition("winnow train start ")[2])[:2]
    assert named[0] == "--set"
    trained = winnow(
        "train",
        "start",
        *named,
        "--model",
        files.judge,
        "--output_dir",
        tmp_path / "judge-2",
        "--trainer",
        "command",
        "--command",
        files.command,
        "--device",
        "cpu",
        "--train-batch-size",
        1,
        "--task_instruction",
        INSTRUCTION,
        "--wait",
        "--json",
    ).json
    assert trained["status"] == "finished"
    (exported,) = (tmp_path / "judge-2" / "data").rglob("rejection_sampling_train.json")
    assert json.loads(exported.read_text()) == rows, "what is trained on is what was converted"
    assert (tmp_path / "judge-2" / "model" / "config.json").is_file()


def test_everything_at_once_told_by_the_scripts_variables_alone(
    winnow: Winnow, files: Files, task: str, tmp_path: Path
) -> None:
    out = tmp_path / "one"
    told = {
        "MODEL_PATH": str(files.judge),
        "DATA_PATH": files.data,
        "OUTPUT_DIR": str(out),
        "INFERENCE_BATCH_SIZE": "4",
        "MAX_NEW_TOKENS": "64",
        "TASK_INSTRUCTION": INSTRUCTION,
        "VIDEO_FPS": "2.0",
        "GPUS_PER_NODE": "2",
        "NNODES": "1",
        "NODE_RANK": "0",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": "29500",
        **({"DATA_ROOT": str(files.root)} if task == "t2i" else {}),
    }
    done = winnow("prepare", task, "--engine", "scripted", "--scripted_file", files.texts, env=told)
    assert "INFERENCE_BATCH_SIZE=4" in done.err
    training = out / "rejection_sampling_train.json"
    rows = json.loads(training.read_text())
    check_rows(rows, files, len(json.loads((out / "filtered_samples.json").read_text())))
    (run,) = winnow("run", "list", "--json").json
    spec = winnow("run", "show", run["id"], "--json").json["spec"]
    assert (spec["options"]["batch_size"], spec["options"]["max_new_tokens"]) == (4, 64)

    told |= {
        "TRAINING_DATA_PATH": str(training),
        "OUTPUT_DIR": str(tmp_path / "judge-2"),
        "LR": "1e-5",
        "TBS": "2",
        "MAX_EPOCHS": "1",
        "MAX_LENGTH": "8196",
    }
    # Where there is no LightRFT, its preflight says so, of the training that would be.
    shown = winnow("train", "start", "--trainer", "lightrft", "--dry-run", "--json", env=told, code=1)
    would = shown.json["spec"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert [ref["content_hash"] for ref in would["sets"]] == [manifest["set"]["content_hash"]]
    assert (would["actor_learning_rate"], would["train_batch_size"]) == (1e-5, 2)
    assert (would["gpus_per_node"], would["model"]) == (2, str(files.judge))
    checks = {check["name"]: check for check in shown.json["checks"]}
    assert checks["Instruction"]["level"] == "ok", "asked in training as at inference"


def test_a_file_for_samples_that_cannot_be_is_refused_before_a_judge_works_for_it(
    winnow: Winnow, tmp_path: Path
) -> None:
    files = Files(tmp_path, "t2i")
    words = [
        "prepare",
        "t2i",
        "--model_path",
        files.judge,
        "--data_path",
        files.data,
        "--engine",
        "scripted",
        "--scripted_file",
        files.texts,
    ]
    for given, code, said in (
        (["--output_path", tmp_path], 1, "cannot be made or written"),
        (["--output_path", files.texts / "x.json"], 1, "cannot be made or written"),
        ([], 2, "one of them is needed"),
        (["--output_path", tmp_path / "a.json", "--output_dir", tmp_path / "o"], 2, "exclude"),
    ):
        assert said in winnow(*words, *given, code=code).err
    assert winnow("run", "list", "--json").json == []
