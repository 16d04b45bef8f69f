"""The command beside the form: read back by the command itself, it asks for the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.cli import main
from backend.training.command import places_in, split_template
from backend.training.plan import start_line, start_words
from backend.training.programs import EXAMPLES
from backend.training.spec import LoraSpec, TrainingSpec
from backend.workspace import Workspace
from tests.old_sets import freeze_as
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    opened = build_workspace(tmp_path_factory.mktemp("line") / "ws", images=4, videos=1)
    opened.freeze("plain", [1])
    freeze_as(opened, "-x '$(touch owned)", [3])
    return opened


VALUES: dict[str, dict[str, object]] = {
    "defaults": {"trainer": "local"},
    "numbers": {
        "trainer": "local",
        "actor_learning_rate": 1e-5,
        "max_epochs": 2,
        "max_steps": 7,
        "train_batch_size": 4,
        "micro_train_batch_size": 2,
        "lr_warmup_ratio": 0.1,
        "l2": 0.01,
        "max_norm": 0.5,
        "prompt_max_len": 900,
        "max_pixels": 3136,
        "fps": 1.0,
        "seed": -3,
        "bf16": "no",
        "gradient_checkpointing": False,
        "flash_attn": True,
        "validation": 0.25,
        "save_steps": 9,
        "max_ckpt_num": 5,
        "device": "cpu",
        "task_instruction": "-- {prompt}?",
    },
    "adapters": {"trainer": "local", "lora": LoraSpec(rank=4, target_modules=("a", "b"))},
    "adapters as they come": {"trainer": "local", "lora": LoraSpec()},
    "nodes": {
        "trainer": "lightrft",
        "zero_stage": 2,
        "gpus_per_node": 4,
        "nnodes": 2,
        "node_rank": 1,
        "master_addr": "10.0.0.1",
        "master_port": 29_511,
        "flash_attn": False,
    },
    "a command": {"trainer": "command", "command": ("sh", "-c", "echo 'a b' {output}"), "data_format": "sharegpt"},
}


@pytest.mark.parametrize("name", list(VALUES))
def test_the_command_asks_for_what_the_form_asked(
    space: Workspace, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = space.training_launcher.spec(
        ["plain@1", "-x '$(touch owned)@1"],
        model=str(tmp_path / "a model"),
        output_dir=str(tmp_path / "out"),
        **VALUES[name],
    )
    words = start_words(spec, workspace=space.folder)
    assert words[0] == "winnow"
    main([*words[1:], "--dry-run", "--json"])  # refused by the preflight: there is no such model
    assert TrainingSpec.model_validate(json.loads(capsys.readouterr().out)["spec"]) == spec


def test_what_has_its_default_is_left_out(space: Workspace, tmp_path: Path) -> None:
    spec = space.training_launcher.spec(["plain"], model="org/judge", output_dir=str(tmp_path), trainer="local")
    assert start_line(spec) == (f"winnow train start --set plain@1 --model org/judge --output-dir {tmp_path}")


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_each_example_of_a_command_names_only_places_that_are_known(
    space: Workspace, tmp_path: Path, name: str
) -> None:
    example = EXAMPLES[name]
    spec = space.training_launcher.spec(
        ["plain"],
        model="org/Qwen3-VL-8B-judge",
        output_dir=str(tmp_path),
        trainer="command",
        command=split_template(example.template),
        data_format=example.data_format,
    )
    argv = space.training_launcher.plan(spec).command.argv
    assert str(tmp_path / "model") in argv
    assert not places_in(argv) and all(argv)
