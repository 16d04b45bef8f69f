"""Winnow's command and exports in a real LightRFT checkout, without CUDA.

LightRFT's parser, ``GRMDataset`` and handlers are real; packages that this interpreter lacks are stubbed
by the driver. ``scripts/check_lightrft.py`` checks the rest on a machine with a GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.engines.processing import prompt_inputs
from backend.trainer import export_sets
from backend.training.base import Tools
from backend.training.data import Rows, data_files
from backend.training.folder import claim
from backend.training.lightrft import entry as lightrft_entry
from backend.training.registry import load_trainer
from backend.training.showing import request_of
from backend.training.spec import LoraSpec, TrainingSpec
from backend.workspace import Workspace
from tests.workspaces import build_workspace

HOME = os.environ.get("WINNOW_TEST_LIGHTRFT_HOME", "")
PYTHON = os.environ.get("WINNOW_TEST_LIGHTRFT_PYTHON", sys.executable)
DRIVER = Path(__file__).with_name("lightrft_driver.py")
COUNTING = DRIVER.with_name("lightrft_counting_driver.py")
SCRIPT = "examples/grm_training/train_grm_vl.py"
T2V = "rejection-sampling-t2v"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (Path(HOME) / SCRIPT).is_file(), reason="no LightRFT checkout: name one in WINNOW_TEST_LIGHTRFT_HOME"
    ),
]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("lightrft"), images=6, videos=3)
    opened.freeze("mixed", [2, 3])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def asked(space: Workspace, judge_folder: Path) -> tuple[Path, TrainingSpec]:
    """A folder with the exports, and a spec in which everything differs from LightRFT's defaults."""
    folder = space.folder / "out"
    spec = space.training_launcher.spec(
        ["mixed"],
        trainer="lightrft",
        model=str(judge_folder),
        output_dir=str(folder),
        actor_learning_rate=3e-6,
        train_batch_size=6,
        micro_train_batch_size=2,
        max_epochs=4,
        lr_warmup_ratio=0.05,
        prompt_max_len=9000,
        fps=1.5,
        max_pixels=100_352,
        zero_stage=1,
        save_steps=77,
        max_ckpt_num=5,
        l2=0.01,
        seed=7,
        validation=0.3,
        lora=LoraSpec(rank=8, alpha=16, dropout=0.1),
    )
    claim(folder, "test", spec)
    export_sets(space.database, spec, folder)
    return folder, spec


@pytest.fixture(scope="module")
def result(
    asked: tuple[Path, TrainingSpec], judge_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    folder, spec = asked
    words = load_trainer("lightrft", Tools({}, HOME)).command(spec, folder).argv
    start = words.index(spec.master_addr) + 1
    entry, *arguments = (str(Path(HOME) / word) if word == SCRIPT else word for word in words[start:])
    out = tmp_path_factory.mktemp("driven") / "out.json"
    done = subprocess.run(
        [PYTHON, str(DRIVER), HOME, str(judge_folder), entry, str(out), *arguments],
        cwd=HOME,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_lightrfts_own_parser_reads_every_hyperparameter_as_it_was_given(
    result: dict[str, Any], asked: tuple[Path, TrainingSpec]
) -> None:
    folder, spec = asked
    parsed = result["parsed"]
    for name in (
        "actor_learning_rate",
        "train_batch_size",
        "micro_train_batch_size",
        "max_epochs",
        "lr_warmup_ratio",
        "prompt_max_len",
        "fps",
        "max_pixels",
        "zero_stage",
        "save_steps",
        "max_ckpt_num",
        "l2",
        "seed",
    ):
        assert parsed[name] == getattr(spec, name), name
    assert spec.lora is not None
    assert (parsed["lora_rank"], parsed["lora_alpha"], parsed["lora_dropout"]) == (8, 16, 0.1)
    assert parsed["target_modules"] == list(spec.lora.target_modules)
    assert (parsed["pretrain"], parsed["bf16"], parsed["flash_attn"]) == (spec.model, True, True)
    assert parsed["gradient_checkpointing"] and not parsed["load_checkpoint"]
    assert parsed["save_path"] == str(folder / "model")
    assert parsed["ckpt_path"] == str(folder / "checkpoints")
    assert len(parsed["train_data"]) == len(parsed["eval_data"]) == 2


def test_grm_dataset_shows_every_row_of_both_kinds_as_inference_does(
    result: dict[str, Any], asked: tuple[Path, TrainingSpec], judge_folder: Path
) -> None:
    """Token for token, at the spec's rate and size; what is learned is the response and its end."""
    transformers = pytest.importorskip("transformers")
    processor = transformers.AutoProcessor.from_pretrained(judge_folder)
    folder, spec = asked
    found = {(tuple(row["media"]), row["response"]): row for row in result["rows"]}
    rows = Rows([file for file in data_files(folder) if not file.validation])
    assert len(result["rows"]) == len(rows)
    assert found.keys() == {(row.media, row.response) for row in rows}
    for row in rows:
        request = request_of(row, fps=spec.fps, max_pixels=spec.max_pixels, factor=28)
        prompt = prompt_inputs(processor, [request])["input_ids"][0].tolist()
        one = found[row.media, row.response]
        assert one["tokens"][: len(prompt)] == prompt
        text = processor.tokenizer.decode(one["tokens"][len(prompt) :], clean_up_tokenization_spaces=False)
        assert text == row.response + processor.tokenizer.eos_token
        assert one["learned"] == len(one["tokens"]) - len(prompt)
    assert {row["source"] for row in result["rows"]} == {"imagegen-cot-reward-5k", T2V}


def counted(out: Path, *, after: int) -> list[dict[str, Any]]:
    """Each of two ranks' steps: 170 rows in 3 epochs of 21 steps of 8, two at once on a GPU."""
    done = subprocess.run(
        [PYTHON, str(COUNTING), HOME, lightrft_entry.__file__, str(out), *map(str, (170, 8, 2, 2, 3, after))],
        cwd=HOME,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: list[dict[str, Any]] = json.loads(out.read_text())["ranks"]
    return found


def test_lightrfts_trainer_resumes_after_its_first_epoch_where_it_was(tmp_path: Path) -> None:
    """By itself it begins with the first row again, and ends 63 steps later."""
    whole, resumed = counted(tmp_path / "a", after=0), counted(tmp_path / "b", after=30)
    for one, other in zip(whole, resumed, strict=True):
        assert one["saved"] == list(range(1, 64))
        assert {len(batch) for batches in one["steps"].values() for batch in batches} == {2}
        assert other["saved"] == list(range(31, 64))
        rest = {step: rows for step, rows in one["steps"].items() if int(step) > 30}
        assert other["steps"] == rest
    for step, rows in whole[0]["steps"].items():
        both = {row for batch in [*rows, *whole[1]["steps"][step]] for row in batch}
        assert len(both) == 8
