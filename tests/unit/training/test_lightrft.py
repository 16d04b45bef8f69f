"""LightRFT's command and the entry that adds a video handler; a checkout that tests make."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from training_folders import Prepare

from backend.domain.pairs import MediaKind
from backend.domain.preflight import Level
from backend.domain.prompts import default_instruction, judge_messages
from backend.engines.base import Request
from backend.engines.chat import template_messages
from backend.errors import TrainerUnavailable
from backend.training.lightrft import LightRFTTrainer
from backend.training.lightrft_entry import SOURCE, VideoRows, register

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
    home = tmp_path / "LightRFT"
    (home / "lightrft/datasets").mkdir(parents=True)
    (home / "examples/grm_training").mkdir(parents=True)
    for folder in ("lightrft", "lightrft/datasets"):
        (home / folder / "__init__.py").touch()
    (home / "lightrft/datasets/grm_dataset.py").write_text(
        DATASET.replace("HANDLERS", '"hpdv3": 1')
    )
    (home / "examples/grm_training/train_grm_vl.py").write_text(SCRIPT)
    return home


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
    save, data = f"{folder}/model", folder / "data/set-2/rejection_sampling_train.json"
    assert " ".join(command.argv) == (
        "py -m torch.distributed.run --nnodes 2 --nproc-per-node 2 --node_rank 1 "
        "--master-port 29501 --master-addr 10.0.0.1 examples/grm_training/train_grm_vl.py "
        f"--pretrain {spec.model} --save_path {save} --ckpt_path {save} --train_batch_size 8 "
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


def test_mixed_sets_name_both_sources_and_videos_go_through_the_entry(
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
    script = argv.index("examples/grm_training/train_grm_vl.py")
    assert argv[script - 1].endswith("lightrft_entry.py")


def test_a_checkout_with_a_video_handler_is_left_to_itself(
    prepare: Prepare, checkout: Path
) -> None:
    file = checkout / "lightrft/datasets/grm_dataset.py"
    file.write_text(DATASET.replace("HANDLERS", f'"{SOURCE}": 1'))
    folder, spec = prepare(sets=("mixed",), trainer="lightrft")
    argv = LightRFTTrainer("py", str(checkout)).command(spec, folder).argv
    assert not any("lightrft_entry" in word for word in argv)


@pytest.mark.parametrize(("own", "kept"), [('"hpdv3": 1', "VideoRows"), (f'"{SOURCE}": 1', "int")])
def test_the_entry_runs_the_script_unchanged_and_steps_aside(
    checkout: Path, own: str, kept: str
) -> None:
    (checkout / "lightrft/datasets/grm_dataset.py").write_text(DATASET.replace("HANDLERS", own))
    entry = Path(register.__code__.co_filename)
    script = "examples/grm_training/train_grm_vl.py"
    done = subprocess.run(
        [sys.executable, "-I", "-c",
         "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); e = sys.argv[1];"
         "sys.argv = sys.argv[1:]; runpy.run_path(e, run_name='__main__')",
         str(checkout), str(entry), script, "--fps", "2.0"],
        cwd=checkout, capture_output=True, text=True, check=True,
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


def test_lightrft_saves_where_nothing_of_ours_can_be_deleted_and_resumes_from_there(
    prepare: Prepare, checkout: Path
) -> None:
    folder, spec = prepare(sets=("images",), trainer="lightrft")
    trainer = LightRFTTrainer("py", str(checkout))
    save = Path(of(trainer.command(spec, folder).argv, "--ckpt_path"))
    assert save not in (folder, folder / "data") and folder in save.parents
    assert "--load_checkpoint" not in trainer.command(spec, folder).argv
    (save / "global_step1000").mkdir(parents=True)
    (save / "global_step1000" / "mp_rank_00_model_states.pt").touch()
    (save / "latest").write_text("global_step1000")
    assert "--load_checkpoint" in trainer.command(spec, folder).argv
    (shards,) = trainer.checkpoints(folder)
    assert (shards.step, shards.judge, shards.final) == (1000, False, False)
    (save / "final_checkpoint").mkdir()
    assert len(trainer.checkpoints(folder)) == 1
    (save / "final_checkpoint" / "config.json").write_text("{}")
    (save / "final_checkpoint" / "model.safetensors").touch()
    assert trainer.checkpoints(folder)[-1].final
