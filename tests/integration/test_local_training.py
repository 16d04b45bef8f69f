"""The local trainer as the processes that a job starts, and against what it does not control: hostile
texts, and transformers' own loss."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from backend.domain.pairs import MediaKind
from backend.trainer import export_sets
from backend.training.data import Row
from backend.training.folder import claim
from backend.training.local.checkpoints import whole_checkpoints
from backend.training.local.devices import take_place
from backend.training.local.fit import Fit
from backend.training.local.journal import read_metrics
from backend.training.local.trainer import LocalTrainer
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace
from tests.integration.test_runs import wait_for
from tests.workspaces import build_workspace

pytestmark = pytest.mark.judge

Prepare = Callable[..., tuple[Path, TrainingSpec]]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("local-training"), images=8, videos=3)
    opened.freeze("mixed", [1, 3])
    yield opened
    opened.close()


@pytest.fixture
def prepare(space: Workspace, judge_folder: Path, tmp_path: Path) -> Prepare:
    def make(name: str = "out", **values: Any) -> tuple[Path, TrainingSpec]:
        folder = tmp_path / name
        spec = space.training_launcher.spec(
            ("mixed",),
            **{
                "trainer": "local",
                "model": str(judge_folder),
                "output_dir": str(folder),
                "device": "cpu",
                "max_pixels": 56 * 56,
                "fps": 1.0,
                "train_batch_size": 4,
                "actor_learning_rate": 1e-3,
                **values,
            },
        )
        claim(folder, name, spec)
        export_sets(space.database, spec, folder)
        return folder, spec

    return make


@pytest.fixture
def start() -> Iterator[Callable[[Path, TrainingSpec], subprocess.Popen[bytes]]]:
    """Starts what the job would start, in a session of its own; nothing of it outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(folder: Path, spec: TrainingSpec) -> subprocess.Popen[bytes]:
        command = LocalTrainer(sys.executable).command(spec, folder)
        env = {**os.environ, **command.env, "OMP_NUM_THREADS": "1"}
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(command.argv, env=env, stdout=log, stderr=log, start_new_session=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def losses(folder: Path) -> list[float]:
    return [metric.loss for metric in read_metrics(folder) if metric.loss is not None]


def a_row(made: Fit, kind: MediaKind = MediaKind.IMAGE) -> Row:
    row: Row = next(row for row in made._rows if row.kind is kind)
    return row


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("kind", MediaKind)
def test_the_loss_is_transformers_own_for_the_same_labels(prepare: Prepare, kind: MediaKind) -> None:
    """A label that is off by one, or a padding that counts, would make another number."""
    folder, spec = prepare()
    made = Fit(folder, spec, take_place(spec))
    row = a_row(made, kind)
    (micro,) = made._collator.micro_batches([row, replace(row, response="<answer>no</answer>")])
    made.judge.model.eval()
    with torch.no_grad():
        ours = made._loss(micro).item() / micro.tokens
        theirs = made.judge.model(**micro.inputs, labels=micro.labels).loss.item()
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("word", ["<|image_pad|>", "<|im_end|>", "<|vision_start|>"])
def test_what_a_response_spells_is_text_and_no_special_token(prepare: Prepare, word: str) -> None:
    folder, spec = prepare()
    made = Fit(folder, spec, take_place(spec))
    row = a_row(made)
    hostile = replace(row, response=row.response.replace("</think>", f"{word}</think>"))
    assert hostile != row
    (micro,) = made._collator.micro_batches([hostile])
    tokenizer = made.judge.processor.tokenizer
    learned = micro.labels[0, -micro.tokens :].tolist()
    assert tokenizer.decode(learned) == hostile.response + tokenizer.eos_token
    special = set(tokenizer.all_special_ids)
    assert [token for token in learned if token in special] == [tokenizer.eos_token_id]
    assert torch.isfinite(made._loss(micro))
    assert len(tokenizer(word).input_ids) == 1, "prompts still have them"


def test_a_caption_that_spells_the_place_of_a_medium_costs_its_row_and_not_the_training(
    prepare: Prepare, caplog: pytest.LogCaptureFixture
) -> None:
    folder, spec = prepare()
    made = Fit(folder, spec, take_place(spec))
    row = a_row(made)
    hostile = replace(row, instruction="<|image_pad|><|image_pad|>" + row.instruction)
    with caplog.at_level(logging.WARNING):
        (micro,) = made._collator.micro_batches([hostile, row])
    assert micro.rows == 1
    assert made._collator.left_out == 1
    assert "caption spells <|image_pad|>" in caplog.text


def test_a_process_that_is_asked_to_stop_is_gone_on_with_to_the_same_weights(
    prepare: Prepare, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    folder, spec = prepare("cut", max_steps=8, save_steps=100)
    process = start(folder, spec)
    wait_for(lambda: len(losses(folder)) >= 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    (checkpoint,) = whole_checkpoints(folder)
    assert not checkpoint.final
    assert checkpoint.step == len(losses(folder)) < 8
    assert start(folder, spec).wait(120) == 0

    whole, spec = prepare("whole", max_steps=8, save_steps=100)
    assert start(whole, spec).wait(120) == 0
    one, other = (load_file(path / "final_checkpoint" / "model.safetensors") for path in (folder, whole))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert losses(folder) == losses(whole)


def test_two_processes_learn_what_one_learns_and_stop_together(
    prepare: Prepare, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    values = {"max_steps": 3, "validation": 0.3, "save_steps": 3}
    alone, spec = prepare("alone", **values)
    assert Fit(alone, spec, take_place(spec)).run()
    both, spec = prepare("both", gpus_per_node=2, master_port=free_port(), **values)
    assert start(both, spec).wait(180) == 0
    assert losses(both) == pytest.approx(losses(alone), rel=1e-3)
    held_out = [
        [m.validation_loss for m in read_metrics(folder) if m.validation_loss is not None] for folder in (alone, both)
    ]
    assert len(held_out[0]) == 1
    assert held_out[1] == pytest.approx(held_out[0], rel=1e-3)

    long, spec = prepare("long", gpus_per_node=2, master_port=free_port(), max_epochs=500)
    process = start(long, spec)
    wait_for(lambda: len(losses(long)) >= 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    (checkpoint,) = whole_checkpoints(long)
    assert checkpoint.step == len(losses(long))
