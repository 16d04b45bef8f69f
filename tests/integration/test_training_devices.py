"""Several training processes make the step of one, and vLLM loads what was trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from backend.demo.dataset import write_demo
from backend.trainer import export_sets
from backend.training.folder import claim
from backend.training.local.trainer import LocalTrainer
from backend.training.probing import free_port
from backend.workspace import Workspace
from tests.integration.conftest import Winnow
from tests.integration.test_vllm import PYTHON
from tests.workspaces import build_workspace

pytestmark = [pytest.mark.judge, pytest.mark.slow]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    """The workspace of ``winnow``: set ``mixed`` has images and videos."""
    opened = build_workspace(tmp_path / "ws", images=8, videos=2)
    opened.freeze("mixed", [1, 3])
    yield opened
    opened.close()


def train(space: Workspace, judge: Path, name: str, **values: Any) -> Path:
    """Train in processes of its own, as a job would; the folder."""
    folder = space.folder.parent / name
    spec = space.training_launcher.spec(
        ["mixed"],
        **{
            "trainer": "local",
            "model": str(judge),
            "output_dir": str(folder),
            "device": "cpu",
            "max_pixels": 56 * 56,
            "fps": 1.0,
            "train_batch_size": 3,
            "max_steps": 2,
            "micro_train_batch_size": 1,
            "actor_learning_rate": 1e-3,
            **values,
        },
    )
    claim(folder, name, spec)
    export_sets(space.database, spec, folder)
    command = LocalTrainer(sys.executable).command(spec, folder)
    done = subprocess.run(command.argv, env={**os.environ, **command.env}, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = load_file(folder / "checkpoints" / "step-000002" / "trainer_state.safetensors")
    return {name: value for name, value in state.items() if name.startswith("weight.")}


def test_two_processes_make_the_weights_that_one_makes(space: Workspace, judge_folder: Path) -> None:
    """Three rows a step: one process has two of them, the other one, and responses differ in length."""
    alone = weights(train(space, judge_folder, "alone"))
    together = train(space, judge_folder, "together", gpus_per_node=2, master_port=free_port(), save_steps=1)
    for name, value in weights(together).items():
        assert torch.allclose(value, alone[name], atol=2e-4), name
    before = load_file(judge_folder / "model.safetensors")
    moved = [
        (alone[f"weight.{name}"] - value.float()).abs().max().item()
        for name, value in before.items()
        if f"weight.{name}" in alone
    ]
    assert max(moved) > 1e-3, "the weights must have moved further than the two may differ"
    assert len((together / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.vllm
@pytest.mark.timeout(600)
@pytest.mark.skipif(not PYTHON.exists(), reason=f"no vLLM: {PYTHON} is not there")
def test_vllm_loads_a_trained_judge_and_its_answers_are_readable(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    """With adapters, whose merging is one more way to go wrong; the rest is as in full training."""
    folder = train(space, judge_folder, "judge", lora={"rank": 4}, actor_learning_rate=1e-7)
    files = write_demo(tmp_path / "demo", image_pairs=6, video_pairs=0, seed=5)
    winnow("dataset", "add", f"hpdv3:{files.images}", "--name", "demo")
    run = winnow(
        "run",
        "start",
        "--dataset",
        "demo",
        "--model",
        folder / "final_checkpoint",
        "--engine",
        "vllm",
        "--max-new-tokens",
        256,
        "--batch-size",
        6,
        "--wait",
        "--json",
        env={"WINNOW_VLLM_PYTHON": str(PYTHON)},
    ).json
    assert (run["status"], run["counts"]["done"], run["counts"]["failed"]) == ("finished", 6, 0)
    rows = winnow("run", "predictions", run["id"], "--json").lines
    assert all(row["answer"] for row in rows), json.dumps(rows)[:2000]
