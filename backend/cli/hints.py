"""Hints and the options that an error is about, as the command says them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from backend.engines.base import EngineOptions
from backend.errors import WinnowError
from backend.foreign_text import one_line
from backend.hints import LONGEST, Action, Do, Field, Hint, Part
from backend.inference.spec import RunOptions
from backend.options import options_of
from backend.training.spec import LoraSpec, TrainingSpec

_DECLARED = (options_of(RunOptions), options_of(EngineOptions), options_of(TrainingSpec), options_of(LoraSpec, "lora_"))
_FLAGS = {name: option.flag for options in _DECLARED for name, option in options.items()}

COMMANDS: Mapping[Action, str] = {
    Action.ADD_DATASET: "dataset add",
    Action.LIST_RUNS: "run list",
    Action.SHOW_RUN: "run show",
    Action.RUN_LOG: "run log",
    Action.RESUME_RUN: "run resume",
    Action.CANCEL_RUN: "run cancel",
    Action.FILTER_RUN: "run filter",
    Action.REPARSE_RUN: "run reparse",
    Action.LIST_PREDICTIONS: "run predictions",
    Action.LIST_RULINGS: "review export",
    Action.LIST_SETS: "set list",
    Action.BALANCE_SET: "set create --balance",
    Action.EXPORT_SET: "export",
    Action.LIST_TRAININGS: "train list",
    Action.START_TRAINING: "train start",
    Action.TRAINING_OPTIONS: "train start --help",
    Action.SHOW_TRAINING: "train show",
    Action.TRAINING_LOG: "train log",
    Action.RESUME_TRAINING: "train resume",
    Action.STOP_TRAINING: "train stop",
    Action.EVALUATE_TRAINING: "train evaluate",
    Action.LIST_LOOPS: "loop list",
    Action.START_LOOP: "loop",
    Action.SHOW_LOOP: "loop show",
    Action.RESUME_LOOP: "loop resume",
    Action.CANCEL_LOOP: "loop cancel",
    Action.CONVERT: "convert",
    Action.BUILD_JUDGE: "demo build-judge",
}


def in_command(hint: Hint | str | None) -> str:
    """A hint in one line; empty where there is none."""
    if isinstance(hint, Hint):
        return one_line("".join(map(_worded, hint.parts)), LONGEST)
    return hint or ""


def message_of(error: WinnowError) -> str:
    """What is wrong, with the option that it is about."""
    return error.message if error.about is None else one_line(f"{flag(error.about)}: {error.problem}", LONGEST)


def with_hint(message: str, hint: Hint | str | None) -> str:
    """Both in one line."""
    return f"{message} ({in_command(hint)})" if hint else message


def flag(field: Field) -> str:
    """An option as it is given, with its value where that is known."""
    name = _FLAGS.get(field.name, f"--{field.name.replace('_', '-')}")
    if field.value is None or field.value is True:
        return name
    if field.value is False:
        return f"--no-{name.removeprefix('--')}"
    value = str(field.value)
    return f"{name} {shlex.quote(value) if any(map(str.isspace, value)) else value}"


def _worded(part: Part) -> str:
    if isinstance(part, Field):
        return flag(part)
    if isinstance(part, Do):
        on = [] if part.on is None else [str(part.on)]
        return f"`{' '.join(['winnow', COMMANDS[part.action], *on, *map(flag, part.given)])}`"
    return part
