"""A spec that cannot be meant is refused with one line that names the option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backend.cli.hints import message_of
from backend.errors import UsageError
from backend.training.spec import LoraSpec, TrainingSpec
from backend.workspace import Workspace


def spec_of(space: Workspace, **values: Any) -> TrainingSpec:
    given = {"trainer": "local", "model": "org/judge", "output_dir": "out", **values}
    return space.training_launcher.spec(["mixed"], **given)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": ""}, "--model: is empty"),
        ({"model": "  "}, "--model: is empty"),
        ({"output_dir": ""}, "--output-dir: is empty"),
        ({"device": "banana"}, "--device: 'banana' is none of auto, cpu, cuda and cuda:0,1"),
        ({"device": "cuda:"}, "--device: "),
        ({"device": "0,1"}, "--device: "),
        ({"device": "{said}"}, "--device: '{said}' is none"),
        ({"node_rank": 3}, "--node-rank: there is no node 3 of 1; they count from 0"),
        ({"node_rank": 2, "nnodes": 2}, "--node-rank: there is no node 2 of 2"),
        ({"actor_learning_rate": float("inf")}, "--actor-learning-rate: Input should be a finite"),
        ({"l2": float("inf")}, "--l2: "),
        ({"max_norm": float("inf")}, "--max-norm: "),
        ({"fps": float("inf")}, "--fps: "),
        ({"seed": 10**30}, "--seed: "),
        ({"max_steps": 10**30}, "--max-steps: "),
        ({"max_epochs": 10**30}, "--max-epochs: "),
        ({"save_steps": 10**30}, "--save-steps: "),
    ],
)
def test_what_cannot_be_meant_is_one_line_with_its_option(space: Workspace, values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        spec_of(space, **values)
    assert message_of(caught.value).startswith(said)
    assert "\n" not in caught.value.message and caught.value.hint


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1", "cuda:0,1,11"])
def test_the_devices_that_are_documented_are_taken(space: Workspace, device: str) -> None:
    assert spec_of(space, device=device, nnodes=2, node_rank=1).device == device


def test_a_folder_is_absolute_and_nothing_becomes_the_current_one(space: Workspace) -> None:
    assert spec_of(space, output_dir="out").output_dir == str(Path("out").resolve())


@pytest.mark.parametrize("modules", [(), ("",), ("q_proj", " ")])
def test_adapters_for_no_module_are_refused(modules: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="the name of a module"):
        LoraSpec(target_modules=modules)
