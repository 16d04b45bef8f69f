"""Variables of existing scripts, which commands in their place read where an option is not given.

Names such as ``LR`` or ``OUTPUT_DIR`` belong to nobody. So only commands that stand for such a script
read them, and each says which it took.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Annotated, Any, get_args

import typer

from backend.cli.hints import flag
from backend.cli.output import note
from backend.errors import UsageError
from backend.training.registry import TRAINERS

OF_TRAINING = {
    "model": "MODEL_PATH",
    "output_dir": "OUTPUT_DIR",
    "actor_learning_rate": "LR",
    "max_epochs": "MAX_EPOCHS",
    "train_batch_size": "TBS",
    "micro_train_batch_size": "MICRO_BATCH_SIZE",
    "prompt_max_len": "MAX_LENGTH",
    "lr_warmup_ratio": "WARMUP",
    "fps": "VIDEO_FPS",
    "max_pixels": "MAX_PIXELS",
    "task_instruction": "TASK_INSTRUCTION",
    "gpus_per_node": "GPUS_PER_NODE",
    "nnodes": "NNODES",
    "node_rank": "NODE_RANK",
    "master_addr": "MASTER_ADDR",
    "master_port": "MASTER_PORT",
}
"""What LightRFT's training scripts are told by, for each value of a training's spec."""

OF_DATA = {
    "training_data_path": "TRAINING_DATA_PATH",
    "t2i_training_data_path": "T2I_TRAINING_DATA_PATH",
    "t2v_training_data_path": "T2V_TRAINING_DATA_PATH",
}


def with_variables(variables: Mapping[str, str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have options of a command read from variables, by option, where they are not given."""

    def give(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        parameters = [
            one.replace(annotation=option_with(one.annotation, envvar=variables.get(one.name)))
            for one in signature.parameters.values()
        ]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return give


def option_with(annotation: Any, **changes: str | None) -> Any:
    """The same option, with some of its attributes changed."""
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        return annotation
    kind, *own = get_args(annotation) if hasattr(annotation, "__metadata__") else (annotation,)
    option = copy(own[0]) if own else typer.Option()
    for name, value in changes.items():
        setattr(option, name, value)
    return Annotated[kind, option]


def checked_trainer(context: typer.Context, trainer: str) -> str:
    """A trainer's name; the variables of scripts are left alone where it does not take their place.

    Raises:
        UsageError: There is none of that name.
    """
    if not TRAINERS.named(trainer).reads_script_variables:
        for parameter in context.command.params:
            parameter.envvar = None
    return trainer


def variables_used(context: typer.Context) -> dict[str, str]:
    """The variables that gave an option its value, by the option."""
    used = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "ENVIRONMENT":
            used[f"--{(parameter.name or '').replace('_', '-')}"] = str(parameter.envvar)
    return used


def training_variables() -> dict[str, str]:
    """The variables that are set, by value of a training's spec, but for its model and folder."""
    own = {name: variable for name, variable in OF_TRAINING.items() if os.environ.get(variable)}
    return {name: own[name] for name in own if name not in ("model", "output_dir")}


def note_variables(used: Mapping[str, str], unread: Collection[str] = ()) -> None:
    """Say which variables were taken.

    Args:
        used: By option.
        unread: Options whose variable was left alone after all.
    """
    taken = [f"{used[one]}={os.environ[used[one]]}" for one in used if one not in unread]
    if taken:
        note(f"from the environment: {', '.join(' '.join(word.split())[:200] for word in taken)}")


@contextmanager
def variables_named(used: Mapping[str, str]) -> Iterator[None]:
    """Name the variable, not the option, where a value of the environment is refused.

    Args:
        used: Variables by option.

    Raises:
        UsageError: As inside, told of the variable.
    """
    try:
        yield
    except UsageError as error:
        option = flag(error.about) if error.about else ""
        if option not in used:
            raise
        hint = error.hint or f"it stands for {option}, which wins where it is given"
        raise UsageError(f"{used[option]}: {error.problem}", hint=hint) from error
