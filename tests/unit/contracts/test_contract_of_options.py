"""Each option is declared once, and command and form take it with the same range."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from backend.datasets.registry import SOURCES
from backend.engines.base import EngineOptions
from backend.export.exporter import ExportOptions
from backend.export.formats import FORMATS
from backend.inference.spec import RunOptions
from backend.options import options_of
from backend.training.spec import LoraSpec, SetRef, TrainingSpec
from dashboard.runs import options as of_runs
from dashboard.training import options as of_trainings
from tests.unit.contracts.checks import check_options

SPEC = {
    "trainer": "local",
    "model": "m",
    "output_dir": "o",
    "sets": (SetRef(id=1, name="s", version=1, content_hash="x"),),
}


@pytest.mark.parametrize(
    ("model", "command", "prefix", "needed"),
    [
        (RunOptions, ("run", "start"), "", {}),
        (EngineOptions, ("run", "start"), "", {}),
        (TrainingSpec, ("train", "start"), "", SPEC),
        (LoraSpec, ("train", "start"), "lora_", {}),
        (ExportOptions, ("export",), "", {}),
        *((one.options, ("dataset", "add"), f"{one.name}_", {}) for one in SOURCES.values()),
        *((one.options, ("export",), f"{one.name}_", {}) for one in FORMATS.values()),
    ],
)
def test_command_and_form_take_each_option_with_the_models_range(
    model: type[BaseModel],
    command: tuple[str, ...],
    prefix: str,
    needed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_options(model, command, monkeypatch, prefix=prefix, needed=needed)


def test_the_launch_form_and_the_training_form_have_every_option() -> None:
    assert of_runs.ALL.keys() == options_of(RunOptions).keys() | options_of(EngineOptions).keys()
    every = options_of(TrainingSpec).keys() | options_of(LoraSpec, "lora_").keys()
    assert of_trainings.ALL.keys() - {"lora"} == every


def test_a_format_is_chosen_among_those_that_are_registered() -> None:
    assert options_of(TrainingSpec)["data_format"].choices == tuple(FORMATS)
    with pytest.raises(ValueError, match="is none of"):
        TrainingSpec(**SPEC, data_format="nothing")
