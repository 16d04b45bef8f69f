"""LightRFT's command, and the entry's handler for videos; a checkout that tests make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from training_folders import Prepare, save_checkout

from backend.domain.pairs import MediaKind
from backend.domain.preflight import Level
from backend.domain.prompts import default_instruction, judge_messages
from backend.engines.base import Request
from backend.engines.chat import template_messages
from backend.errors import TrainerUnavailable, TrainingError
from backend.training import lightrft
from backend.training.lightrft import LightRFTTrainer
from backend.training.lightrft_entry import SOURCE, VideoRows, register
from backend.workspace import Workspace

ENTRY = register.__code__.co_filename
DATASET = """
class GRMDataset:
    def __init__(self):
        self.handlers = {HANDLERS}
        self.found = {k: type(v).__name__ for k, v in self.handlers.items()}
"""
SCRIPT = """
import sys, json
from lightrft.datasets.grm_dataset import GRMDataset
print(json.dumps([sys.argv, __name__, GRMDataset().found]))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    dataset = DATASET.replace("HANDLERS", '"hpdv3": 1')
    return save_checkout(tmp_path / "LightRFT", dataset=dataset, script=SCRIPT)


def of(command: tuple[str, ...], option: str) -> str:
    return command[command.index(option) + 1]


def test_the_command_is_that_of_lightrfts_own_scripts(prepare: Prepare, checkout: Path) -> None:
    folder, spec = prepare(
        sets=("images",), fps=2.0, trainer="lightrft", actor_learning_rate=2.5e-6, train_batch_size=8,
        micro_train_batch_size=1, max_epochs=3, gpus_per_node=2, nnodes=2, node_rank=1,
        master_addr="10.0.0.1", master_port=29501, zero_stage=3, save_steps=1000,
        gradient_checkpointing=True, max_pixels=282240,
    )  # fmt: skip
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
        "GPUS_PER_NODE": "2", "NNODES": "2", "NODE_RANK": "1", "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "29501", "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "PYTHONPATH": str(checkout),
    }  # fmt: skip
    assert command.cwd == str(checkout)


def test_mixed_sets_name_both_sources_and_their_validation_files(
    prepare: Prepare, checkout: Path
) -> None:
    folder, spec = prepare(sets=("mixed",), trainer="lightrft", lora={"rank": 4}, validation=0.3)
    argv = LightRFTTrainer("py", str(checkout)).command(spec, folder).argv
    sources = [part.split(":")[0] for part in of(argv, "--train_data").split(",")]
    assert sources == ["imagegen-cot-reward-5k", SOURCE]
    assert all(
        Path(part.split(":", 1)[1]).is_file() for part in of(argv, "--train_data").split(",")
    )
    assert "_val.json" in of(argv, "--eval_data")
    assert of(argv, "--lora_rank") == "4"


@pytest.mark.parametrize("validation", [0.0, 0.3])
@pytest.mark.parametrize("sets", [("mixed", "images"), ("images", "mixed"), ("videos-first",)])
def test_the_line_before_the_export_is_the_one_after_it(
    space: Workspace,
    prepare: Prepare,
    checkout: Path,
    tmp_path: Path,
    validation: float,
    sets: tuple[str, ...],
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


def test_rows_that_fill_no_step_are_refused_once_they_are_counted(
    prepare: Prepare, checkout: Path
) -> None:
    folder, spec = prepare(sets=("clips",), trainer="lightrft", train_batch_size=64)
    with pytest.raises(TrainingError, match="do not fill one step of train_batch_size 64"):
        LightRFTTrainer("py", str(checkout)).command(spec, folder)


def test_what_lightrfts_script_has_no_option_for_is_refused(
    prepare: Prepare, checkout: Path
) -> None:
    trainer = LightRFTTrainer(sys.executable, str(checkout))
    _, spec = prepare(sets=("images",), trainer="lightrft", max_steps=5, max_norm=0.5)
    checks = {check.name: check for check in trainer.preflight(spec)}
    assert checks["Steps"].level is checks["Gradients"].level is Level.FAIL
    assert "--max-steps 5" in checks["Steps"].message and "smoke" in (checks["Steps"].hint or "")
    assert "--max-norm 0.5" in checks["Gradients"].message
    _, spec = prepare("other", sets=("images",), trainer="lightrft")
    assert not {"Steps", "Gradients"} & {check.name for check in trainer.preflight(spec)}


def test_a_checkout_whose_trainer_is_elsewhere_is_warned_of(
    prepare: Prepare, checkout: Path
) -> None:
    _, spec = prepare(sets=("images",), trainer="lightrft")
    trainer = LightRFTTrainer(sys.executable, str(checkout))
    found = next(check for check in trainer.preflight(spec) if check.name == "LightRFT")
    assert found.level is Level.WARN and "trainer is not where" in found.message
    for file in ("trainer/grm_trainer_vl.py", "strategy/strategy_base.py"):
        (checkout / "lightrft" / file).parent.mkdir()
        (checkout / "lightrft" / file).touch()
    found = next(check for check in trainer.preflight(spec) if check.name == "LightRFT")
    assert found.level is Level.OK


def test_what_lightrft_imports_without_using_it_is_warned_of(
    prepare: Prepare, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, spec = prepare(sets=("images",), trainer="lightrft", flash_attn=False)
    monkeypatch.setattr(lightrft, "_PACKAGES", ("json",))
    monkeypatch.setattr(lightrft, "_IMPORTED", ("json", "no_such_package"))
    found = LightRFTTrainer(sys.executable, str(checkout)).preflight(spec)
    imports = next(check for check in found if check.name == "Imports")
    assert imports.level is Level.WARN
    assert "lacks no_such_package, which LightRFT imports" in imports.message


@pytest.mark.parametrize(("own", "kept"), [('"hpdv3": 1', "VideoRows"), (f'"{SOURCE}": 1', "int")])
def test_the_entry_runs_the_script_unchanged_and_steps_aside(
    checkout: Path, own: str, kept: str
) -> None:
    (checkout / "lightrft/datasets/grm_dataset.py").write_text(DATASET.replace("HANDLERS", own))
    script = "examples/grm_training/train_grm_vl.py"
    done = subprocess.run(
        [sys.executable, ENTRY, script, "--fps", "2.0"],
        cwd=checkout, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )  # fmt: skip
    argv, name, found = json.loads(done.stdout)
    assert (argv, name) == ([script, "--fps", "2.0"], "__main__")
    assert found[SOURCE] == kept


def test_a_video_rows_messages_are_those_of_inference(tmp_path: Path) -> None:
    instruction = default_instruction(MediaKind.VIDEO)
    file = tmp_path / "rows.json"
    row = {"conversations": [{"from": "human", "value": instruction}, {"from": "gpt", "value": "R"}],
           "images": ["a.mp4", "/b.mp4"], "video_fps": 2.0}  # fmt: skip
    file.write_text(json.dumps([row]))
    handler = VideoRows()
    (item,) = handler.load_data(str(file))
    media = handler.get_media_info(item)
    assert [m["video_local_path"] for m in media.values()] == [str(tmp_path / "a.mp4"), "/b.mp4"]
    content = {name: place["video_local_path"] for name, place in media.items()}
    messages, other = handler.parse_item(item, content, {"video_fps": 2.0, "max_pixels": 9})
    videos = [part for m in messages[1:3] for part in m["content"] if part["type"] == "video"]
    assert [video["video"] for video in videos] == list(content.values())
    assert all((video["fps"], video["max_pixels"]) == (2.0, 9) for video in videos)
    request = Request(id=0, kind=MediaKind.VIDEO, media={},
                      messages=judge_messages(MediaKind.VIDEO, instruction))  # fmt: skip
    assert [_bare(message) for message in messages[:3]] == template_messages(request)
    assert messages[3] == {"role": "assistant", "content": [{"type": "text", "text": "R"}]}
    assert other["response"] == "R"


def _bare(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    parts = [
        {"type": "text", "text": part["text"]} if part["type"] == "text" else {"type": part["type"]}
        for part in content
    ]
    return {"role": message["role"], "content": parts}


@pytest.mark.parametrize("home", [None, "/nowhere"])
def test_a_missing_or_old_checkout_is_one_line_and_a_hint(
    prepare: Prepare, home: str | None
) -> None:
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
    assert (trainer.checkpoints(folder)[-1].final, trainer.checkpoints(folder)[-1].judge) == (
        True, False,
    ), "killed before it was made whole"  # fmt: skip
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
