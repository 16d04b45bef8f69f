"""Every option of a run, declared once, for each command that starts one.

Those of the engine are made from :class:`EngineOptions`: name, type, default and help.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypedDict, cast, get_args, get_origin

import typer

from backend.cli.engine_options import Instruction, UseCot, engine_options, read_instruction
from backend.cli.policy import PolicyOption, read_policy
from backend.cli.variables import option_with, variables_named, variables_used
from backend.domain.filtering import Policy
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.errors import UsageError
from backend.inference.launch import MAX_SAMPLES, MAX_SEED

SAMPLED_AT = 0.7
"""Temperature of several samples, where none is given."""

_PANEL = "Options of the engine"


class Judging(TypedDict):
    """How a run judges: what :class:`backend.inference.launch.RunRequest` has but dataset and model."""

    engine: str
    order: OrderPolicy | None
    samples: int
    seed: int
    limit: int | None
    policy: Policy
    instruction: str | None
    use_cot: bool
    options: EngineOptions


def _options_of_a_run(
    engine: Annotated[
        str, typer.Option(help="auto, vllm, transformers, openai (with --endpoint) or scripted")
    ] = "auto",
    order: Annotated[
        OrderPolicy | None,
        typer.Option(help="Shown order; default: shuffled where a file may put the winner first"),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=MAX_SAMPLES, help="Completions for each shown pair")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of the shuffled order and of the samples")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge only the first pairs")] = None,
    policy: PolicyOption = "agreement",
    task_instruction: Instruction = None,
    use_cot: UseCot = True,
) -> None:
    """What is no option of the engine."""


def run_options(
    *,
    without: frozenset[str] = frozenset(),
    variables: Mapping[str, str] = MappingProxyType({}),
    engines: str | None = None,
    **defaults: Any,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command every option of a run in the place of its parameter ``judging``.

    The command gets them as a :class:`Judging`. It has to take a ``typer.Context`` named ``context``.

    Args:
        without: Options that the command settles itself; they have their default.
        variables: Environment variables, by option, for what is not on the command line.
        engines: Help on ``--engine``, where not all of them can work.
        defaults: By option, where the command has another default.
    """
    known = {one.name: one for one in (*_declared(), *_of_the_engine())}
    taken = [
        one.replace(
            default=defaults.get(name, one.default),
            annotation=option_with(
                one.annotation,
                envvar=variables.get(name),
                help=engines if name == "engine" else None,
            ),
        )
        for name, one in known.items()
        if name not in without
    ]

    def give(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for own in signature.parameters.values():
            parameters += taken if own.name == "judging" else [own]

        @wraps(command)
        def run(**given: Any) -> None:
            values = {name: one.default for name, one in known.items()}
            values |= {one.name: given.pop(one.name) for one in taken}
            with variables_named(variables_used(given["context"])):
                judging = _judging(values)
                command(judging=judging, **given)

        # By keyword, so that an option that has to be given may follow one that has not.
        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
        run.__signature__ = signature.replace(parameters=keyword)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in keyword}
        return run

    return give


def _judging(values: dict[str, Any]) -> Judging:
    """What the command was given, or one line on what is wrong in it."""
    given = {one.name: values.pop(one.name) for one in _declared()}
    template = given.pop("task_instruction")
    try:
        given["instruction"] = read_instruction(template)
    except UsageError as error:
        raise UsageError(f"--task-instruction: {error.message}", hint=error.hint) from error
    if abs(given["seed"]) > MAX_SEED:
        raise UsageError(f"--seed {given['seed']}: is too large", hint=f"{MAX_SEED} at most")
    given["policy"] = read_policy(given["policy"])
    if values["temperature"] is None:
        values["temperature"] = SAMPLED_AT if given["samples"] > 1 else 0.0
    values["endpoints"] = tuple(values.pop("endpoint") or ())
    texts = values["scripted_file"]
    values["scripted_file"] = str(texts.absolute()) if texts else None
    return cast(Judging, {**given, "options": engine_options(**values)})


def _declared() -> list[inspect.Parameter]:
    return list(inspect.signature(_options_of_a_run, eval_str=True).parameters.values())


def _of_the_engine() -> list[inspect.Parameter]:
    """An option for each field of :class:`EngineOptions`."""
    found = []
    for name, field in EngineOptions.model_fields.items():
        kind, default, help = field.annotation, field.default, field.description
        if get_origin(kind) is Literal:
            help = ", ".join(get_args(kind))
            kind = str
        if name == "temperature":
            kind, default = float | None, None
            help = f"Default 0, or {SAMPLED_AT} with several samples"
        elif name == "endpoints":
            name, kind, default = "endpoint", list[str] | None, None
            help = f"{help}; may be repeated"
        elif name == "scripted_file":
            kind = Path | None
        option = typer.Option(help=help, rich_help_panel=_PANEL)
        found.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[kind, option],
            )
        )
    return found
