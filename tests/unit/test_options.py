"""An option is declared once: the command, the form and the model agree on it."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from backend.cli.main import app
from backend.curation.kinds.registry import offered
from backend.domain.rules.registry import RULES, policy_options
from backend.engines.base import EngineOptions
from backend.inference.spec import RunOptions
from backend.options import Option, options_of
from backend.training.spec import LoraSpec, TrainingSpec
from dashboard.runs.options import ALL as IN_LAUNCH_FORM
from dashboard.training.options import ALL as IN_TRAINING_FORM

MODELS: list[tuple[type[BaseModel], str, tuple[str, ...], dict[str, Option]]] = [
    (RunOptions, "", ("run", "start"), IN_LAUNCH_FORM),
    (EngineOptions, "", ("run", "start"), IN_LAUNCH_FORM),
    (TrainingSpec, "", ("train", "start"), IN_TRAINING_FORM),
    (LoraSpec, "lora_", ("train", "start"), IN_TRAINING_FORM),
    *((rule.options, "", ("run", "filter"), policy_options()) for rule in RULES.own),
    *((kind.options, "", ("review", "queue", name), options_of(kind.options)) for name, kind in offered().items()),
]
_NEEDED: dict[str, Any] = {
    "trainer": "local",
    "model": "m",
    "output_dir": "o",
    "nnodes": 1_000_000_000,
    "sets": ({"id": 1, "name": "s", "version": 1, "content_hash": "h"},),
}
NUMBERS = [
    pytest.param(model, prefix, one, id=one.name)
    for model, prefix, _, _ in MODELS
    for one in options_of(model, prefix).values()
    if one.kind in ("int", "float")
]


def flags_of(*names: str) -> set[str]:
    command = typer.main.get_command(app)
    for name in names:
        command = command.commands[name]  # type: ignore[attr-defined]
    return {flag for parameter in command.params for flag in parameter.opts}


@pytest.mark.parametrize(("model", "prefix", "command", "form"), MODELS)
def test_each_option_is_in_the_command_and_in_the_form(
    model: type[BaseModel], prefix: str, command: tuple[str, ...], form: dict[str, Option]
) -> None:
    flags = flags_of(*command)
    for name, one in options_of(model, prefix).items():
        assert {one.flag, *one.flags} <= flags
        assert form[name] == one
        assert one.help and one.when and one.group


def accepts(model: type[BaseModel], name: str, value: float) -> bool:
    needed = _NEEDED if model is TrainingSpec else {}
    try:
        model.model_validate({**needed, name: value})
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("model", "prefix", "one"), NUMBERS)
@given(data=st.data())
def test_a_form_takes_the_numbers_that_the_model_takes(
    data: st.DataObject, model: type[BaseModel], prefix: str, one: Option
) -> None:
    ends = [end for end in (one.lowest, one.highest) if end is not None]
    near = [int(end) + step for end in ends for step in (-1, 0, 1)]
    integers = st.sampled_from(near or [0]) | st.integers(-(2**40), 2**40)
    numbers = integers if one.kind == "int" else st.floats(-1e9, 1e9) | integers.map(float)
    value = data.draw(numbers)
    name = one.name.removeprefix(prefix)
    if name in ("nnodes", "node_rank") and value >= _NEEDED["nnodes"]:
        return  # these two are held against each other
    assert one.holds(value) == accepts(model, name, value)


def test_words_of_a_command_tie_a_value_to_its_option_where_it_looks_like_one() -> None:
    options = options_of(EngineOptions)
    assert options["device"].words("auto") == []
    assert options["device"].words("-x") == ["--device=-x"]
    assert options["endpoints"].words(("a", "b")) == ["--endpoint", "a", "--endpoint", "b"]
    assert options["enforce_eager"].words(True) == ["--enforce-eager"]
    assert options_of(RunOptions)["use_cot"].words(False) == ["--no-use-cot"]
