"""LightRFT's command, its preflight and its entry; on a checkout that tests make."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from training_folders import Prepare, save_checkout

from backend.cli.hints import in_command
from backend.domain.preflight import Check, Level
from backend.errors import TrainerUnavailable, TrainingError
from backend.training.lightrft import entry as lightrft_entry
from backend.training.lightrft import versions as lightrft_versions
from backend.training.lightrft.rows import T2V_SOURCE
from backend.training.lightrft.trainer import LightRFTTrainer
from backend.training.probing import versions_in
from backend.workspace import Workspace

ENTRY = lightrft_entry.__file__
ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys, json
from lightrft.datasets.grm_dataset import GRMDataset
from lightrft.models.grm_vl import GenerativeRewardModelVL
shows = [GRMDataset.__getitem__, GenerativeRewardModelVL.forward]
print(json.dumps([sys.argv, __name__, [one.__module__ for one in shows]]))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return save_checkout(tmp_path / "LightRFT", script=SCRIPT)


def of(command: tuple[str, ...], option: str) -> str:
    return command[command.index(option) + 1]


def test_the_command_is_that_of_lightrfts_own_scripts(prepare: Prepare, checkout: Path) -> None:
    folder, spec = prepare(
        sets=("images",),
        fps=2.0,
        trainer="lightrft",
        actor_learning_rate=2.5e-6,
        train_batch_size=8,
        micro_train_batch_size=1,
        max_epochs=3,
        gpus_per_node=2,
        nnodes=2,
        node_rank=1,
        master_addr="10.0.0.1",
        master_port=29501,
        zero_stage=3,
        save_steps=1000,
        gradient_checkpointing=True,
        max_pixels=282240,
    )
    command = LightRFTTrainer("py", str(checkout)).command(spec, folder)
    data = folder / "data/set-2/rejection_sampling_train.json"
    assert " ".join(command.argv) == (
        "py -m torch.distributed.run --nnodes 2 --nproc-per-node 2 --node_rank 1 "
        f"--master-port 29501 --master-addr 10.0.0.1 {ENTRY} examples/grm_training/train_grm_vl.py "
        f"--pretrain {spec.model} --save_path {folder}/model --ckpt_path {folder}/checkpoints "
        "--train_batch_size 8 "
        "--micro_train_batch_size 1 --max_epochs 3 --lr_warmup_ratio 0.03 --prompt_max_len 13000 "
        "--fps 2.0 --max_pixels 282240 --zero_stage 3 --bf16 --actor_learning_rate 2.5e-06 "
        f"--train_data imagegen-cot-reward-5k:{data} --gradient_checkpointing --save_steps 1000 "
        f"--max_ckpt_num 2 --use_tensorboard {folder}/tensorboard --l2 0.0 --flash_attn --seed 42"
    )
    assert dict(command.env) == {
        "GPUS_PER_NODE": "2",
        "NNODES": "2",
        "NODE_RANK": "1",
        "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "29501",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "PYTHONPATH": str(checkout),
    }
    assert command.cwd == str(checkout)


def test_mixed_sets_name_both_sources_and_their_validation_files(prepare: Prepare, checkout: Path) -> None:
    folder, spec = prepare(sets=("mixed",), trainer="lightrft", lora={"rank": 4}, validation=0.3)
    argv = LightRFTTrainer("py", str(checkout)).command(spec, folder).argv
    sources = [part.split(":")[0] for part in of(argv, "--train_data").split(",")]
    assert sources == ["imagegen-cot-reward-5k", T2V_SOURCE]
    assert all(Path(part.split(":", 1)[1]).is_file() for part in of(argv, "--train_data").split(","))
    assert "_val.json" in of(argv, "--eval_data")
    assert of(argv, "--lora_rank") == "4"


@pytest.mark.parametrize("validation", [0.0, 0.3])
@pytest.mark.parametrize("sets", [("mixed", "images"), ("images", "mixed"), ("videos-first",)])
def test_the_line_before_the_export_is_the_one_after_it(
    space: Workspace, prepare: Prepare, checkout: Path, tmp_path: Path, validation: float, sets: tuple[str, ...]
) -> None:
    """The other nodes are started with it: one without ``--eval_data`` would wait for ever, and one
    with its files in another order would take other rows for its share."""
    space.freeze("videos-first", [3, 1])
    folder, spec = prepare(sets=sets, trainer="lightrft", validation=validation)
    trainer = LightRFTTrainer("py", str(checkout))
    before = trainer.command(spec, tmp_path / "not-yet").argv
    after = trainer.command(spec, folder).argv
    assert [word.replace(str(tmp_path / "not-yet"), str(folder)) for word in before] == list(after)
    assert ("--eval_data" in after) == bool(validation)


def test_rows_that_fill_no_step_are_refused_once_they_are_counted(prepare: Prepare, checkout: Path) -> None:
    folder, spec = prepare(sets=("clips",), trainer="lightrft", train_batch_size=64)
    with pytest.raises(TrainingError, match="do not fill one step of train_batch_size 64"):
        LightRFTTrainer("py", str(checkout)).command(spec, folder)


def test_what_lightrfts_script_has_no_option_for_is_refused(prepare: Prepare, checkout: Path) -> None:
    trainer = LightRFTTrainer(sys.executable, str(checkout))
    _, spec = prepare(sets=("images",), trainer="lightrft", max_steps=5, max_norm=0.5)
    checks = {check.name: check for check in trainer.preflight(spec)}
    assert checks["Steps"].level is checks["Gradients"].level is Level.FAIL
    assert "max_steps 5" in checks["Steps"].message and "smoke" in in_command(checks["Steps"].hint)
    assert "max_norm 0.5" in checks["Gradients"].message
    _, spec = prepare("other", sets=("images",), trainer="lightrft")
    assert not {"Steps", "Gradients"} & {check.name for check in trainer.preflight(spec)}


def test_a_checkout_whose_trainer_is_elsewhere_is_warned_of(prepare: Prepare, checkout: Path) -> None:
    _, spec = prepare(sets=("images",), trainer="lightrft")
    trainer = LightRFTTrainer(sys.executable, str(checkout))
    found = next(check for check in trainer.preflight(spec) if check.name == "LightRFT")
    assert found.level is Level.WARN and "trainer is not where" in found.message
    for file in ("trainer/grm_trainer_vl.py", "strategy/strategy_base.py"):
        (checkout / "lightrft" / file).parent.mkdir(exist_ok=True)
        (checkout / "lightrft" / file).touch()
    found = next(check for check in trainer.preflight(spec) if check.name == "LightRFT")
    assert found.level is Level.OK


RIGHT = {
    "python": "3.12.4",
    "torch": "2.9.1",
    "transformers": "4.57.1",
    "deepspeed": "0.18.3",
    "qwen-vl-utils": "0.0.14",
    "loguru": "0.7.3",
    "peft": "0.18.0",
    "datasets": "4.4.0",
    "einops": "0.8.1",
    "tensorboard": "2.20.0",
    "flash-attn": "2.8.3",
    "easydict": "1.13",
    "librosa": "0.11.0",
    "matplotlib": "3.10.0",
    "sglang": "0.5.6",
    "av": "16.0.0",
    "numpy": "2.3.0",
    "pillow": "12.0.0",
    "pydantic": "2.12.0",
}
REQUIRED = "torch>=2.9.1\ntransformers>=4.57.1  # a remark\n-r other.txt\nflash-attn>=2.8.3\npeft\n"


def versions(
    monkeypatch: pytest.MonkeyPatch, checkout: Path, model: str = "a/name", **found: str | None
) -> dict[str, Check]:
    """The checks of an interpreter that has everything but this."""
    (checkout / "requirements.txt").write_text(REQUIRED)
    named = {name.replace("_", "-"): version for name, version in found.items()}
    monkeypatch.setattr(lightrft_versions, "versions_in", lambda *_: {**RIGHT, **named})
    made = lightrft_versions.check_versions("py", checkout, model, flash_attn=True)
    return {check.name: check for check in made}


def test_an_interpreter_that_has_what_the_checkout_asks_for_is_told_with_its_versions(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = versions(monkeypatch, checkout)
    assert set(found) == {"Interpreter"} and found["Interpreter"].level is Level.OK
    assert "transformers 4.57.1" in found["Interpreter"].message
    # A build of one's own has a local part, or says nothing.
    assert versions(monkeypatch, checkout, torch="2.9.1+cu130", flash_attn="")["Interpreter"].level is (Level.OK)


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("transformers", "4.51.3", "transformers 4.51.3 is not >=4.57.1"),
        ("torch", "2.8.0+cu128", "torch 2.8.0+cu128 is not >=2.9.1"),
        ("flash_attn", None, "flash-attn is missing"),
        ("peft", None, "peft is missing"),
        ("python", "3.10.14", "python 3.10.14 is not >=3.11"),
        ("pydantic", "1.10.9", "pydantic 1.10.9 is not >=2.10"),
        ("av", None, "av is missing"),
    ],
)
def test_a_version_that_is_too_old_or_missing_is_refused(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str | None, said: str
) -> None:
    found = versions(monkeypatch, checkout, "a/name", **{name: version})["Interpreter"]
    assert found.level is Level.FAIL and said in found.message
    assert found.hint and "WINNOW_LIGHTRFT_PYTHON" in found.hint


def test_what_lightrft_imports_without_using_it_is_warned_of(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imports = versions(monkeypatch, checkout, sglang=None)["Imports"]
    assert imports.level is Level.WARN and "sglang is missing, which LightRFT imports" in imports.message


def test_a_transformers_that_was_not_tried_or_cannot_read_the_model_is_told(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, judge_folder: Path
) -> None:
    newer = versions(monkeypatch, checkout, transformers="6.0.0")["transformers"]
    assert newer.level is Level.WARN and "6.0.0 was not tried" in newer.message
    assert "transformers" not in versions(monkeypatch, checkout, transformers="5.20.2")
    older = versions(monkeypatch, checkout, str(judge_folder))["transformers"]
    assert older.level is Level.FAIL and "cannot read its configuration" in older.message
    same = versions(monkeypatch, checkout, str(judge_folder), transformers="5.20.2")
    assert "transformers" not in same


def test_an_interpreter_is_asked_for_versions_without_importing_anything() -> None:
    found = versions_in(sys.executable, ["pytest", "no-such-package", "json"])
    assert found == {
        "python": platform.python_version(),
        "pytest": pytest.__version__,
        "no-such-package": None,
        "json": "",
    }
    assert "cannot be asked" in str(versions_in("/no/such/python", []))


def test_the_entry_needs_what_winnow_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {Requirement(text).name: Requirement(text) for text in project["dependencies"]}
    for ours in map(Requirement, lightrft_versions.OURS):
        least = str(ours.specifier)
        asked = project["requires-python"] if ours.name == "python" else named[ours.name].specifier
        assert least in str(asked).split(","), ours


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({}, True),
        ({"micro_train_batch_size": 1}, False),
        ({"zero_stage": 2}, False),
        ({"gpus_per_node": 1}, False),
        ({"gpus_per_node": 1, "nnodes": 2}, True),
    ],
)
def test_images_and_videos_in_one_micro_batch_are_refused_under_zero_3(
    prepare: Prepare, checkout: Path, values: dict[str, Any], refused: bool
) -> None:
    given = {"gpus_per_node": 2, "micro_train_batch_size": 2, "zero_stage": 3, **values}
    trainer = LightRFTTrainer(sys.executable, str(checkout))
    _, spec = prepare(sets=("mixed",), trainer="lightrft", **given)
    found = {check.name: check for check in trainer.preflight(spec)}
    assert ("Mixed" in found) == refused
    if refused:
        assert found["Mixed"].level is Level.FAIL
        assert "--micro-train-batch-size 1" in in_command(found["Mixed"].hint)
    _, spec = prepare("other", sets=("images", "images"), trainer="lightrft", **given)
    assert "Mixed" not in {check.name for check in trainer.preflight(spec)}


@pytest.mark.slow
@pytest.mark.torch
def test_the_entry_mends_what_the_model_is_shown_and_runs_the_script_unchanged(checkout: Path) -> None:
    """In an interpreter that finds Winnow's package by the entry alone."""
    script = "examples/grm_training/train_grm_vl.py"
    done = subprocess.run(
        [sys.executable, ENTRY, script, "--fps", "2.0"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )
    argv, name, shows = json.loads(done.stdout)
    assert (argv, name) == ([script, "--fps", "2.0"], "__main__")
    assert shows == ["backend.training.lightrft.rows", "backend.training.lightrft.positions"]


def test_a_checkout_without_the_model_that_winnow_knows_is_refused(prepare: Prepare, checkout: Path) -> None:
    _, spec = prepare(sets=("images",), trainer="lightrft")
    (checkout / "lightrft/models/grm_vl.py").unlink()
    found = LightRFTTrainer(sys.executable, str(checkout)).preflight(spec)[0]
    assert found.level is Level.FAIL and "it lacks lightrft/models/grm_vl.py" in found.message


@pytest.mark.parametrize("home", [None, "/nowhere"])
def test_a_missing_or_old_checkout_is_one_line_and_a_hint(prepare: Prepare, home: str | None) -> None:
    folder, spec = prepare(sets=("images",), trainer="lightrft")
    trainer = LightRFTTrainer(sys.executable, home)
    with pytest.raises(TrainerUnavailable) as caught:
        trainer.command(spec, folder)
    assert caught.value.hint and "LIGHTRFT_HOME" in caught.value.hint
    checks = {check.name: check for check in trainer.preflight(spec)}
    assert checks["LightRFT"].level is Level.FAIL


def test_lightrft_saves_where_nothing_else_can_be_deleted_and_resumes_from_there(
    prepare: Prepare, checkout: Path
) -> None:
    """Its retention counts every folder in the one with the checkpoints, its ``eval`` too."""
    folder, spec = prepare(sets=("images",), trainer="lightrft")
    trainer = LightRFTTrainer("py", str(checkout))
    argv = trainer.command(spec, folder).argv
    save, kept = Path(of(argv, "--save_path")), Path(of(argv, "--ckpt_path"))
    assert kept != save and kept not in save.parents and folder in kept.parents
    assert not kept.exists() and "--load_checkpoint" not in argv
    (kept / "global_step1000").mkdir(parents=True)
    (kept / "global_step1000" / "mp_rank_00_model_states.pt").touch()
    (kept / "latest").write_text("global_step1000")
    assert "--load_checkpoint" in trainer.command(spec, folder).argv
    (shards,) = trainer.checkpoints(folder)
    assert (shards.step, shards.judge, shards.final) == (1000, False, False)
    final = save / "final_checkpoint"
    final.mkdir(parents=True)
    assert len(trainer.checkpoints(folder)) == 1
    (final / "config.json").write_text("{}")
    (final / "model.safetensors").touch()
    assert len(trainer.checkpoints(folder)) == 1, "killed while it wrote the weights"
    (final / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    assert (trainer.checkpoints(folder)[-1].final, trainer.checkpoints(folder)[-1].judge) == (True, False), (
        "killed before it was made whole"
    )
    (final / "preprocessor_config.json").write_text("{}")
    assert trainer.checkpoints(folder)[-1].judge


def test_a_checkpoint_that_was_deleted_before_the_next_was_whole_is_not_loaded(
    prepare: Prepare, checkout: Path
) -> None:
    folder, spec = prepare(sets=("images",), trainer="lightrft", max_ckpt_num=1)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "latest").write_text("global_step1000")
    argv = LightRFTTrainer("py", str(checkout)).command(spec, folder).argv
    assert "--load_checkpoint" not in argv
