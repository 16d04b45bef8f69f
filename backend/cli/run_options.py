"""Every option of a run, for each command that starts one: made from :class:`RunOptions` and
:class:`EngineOptions`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypedDict, cast

import typer

from backend.cli.declared import checked, parameters_of, taking
from backend.cli.engine_options import read_instruction
from backend.cli.policy import of_the_rules, policy_of, policy_option
from backend.cli.variables import option_with, variables_named, variables_used
from backend.domain.filtering import Policy
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.engines.registry import AUTO, ENGINES
from backend.errors import UsageError
from backend.hints import Field
from backend.inference.spec import SAMPLED_AT, RunOptions

OF_NEW_JUDGES = ", ".join((AUTO, *(kind.name for kind in ENGINES.usable if not kind.replays)))
"""The engines that a judge which was just trained can be asked by."""

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


def _beside(
    engine: Annotated[
        str, typer.Option(help=f"auto, {', '.join(ENGINES)}; `winnow doctor` tells what each is for")
    ] = AUTO,
    order: Annotated[
        OrderPolicy | None, typer.Option(help="Shown order; default: shuffled where a file may put the winner first")
    ] = None,
) -> None:
    """What is neither in RunOptions nor in EngineOptions."""


_BESIDE = tuple(inspect.signature(_beside, eval_str=True).parameters.values())
_OF_THE_POLICY = (policy_option("agreement"), *of_the_rules())
_OF_THE_RUN = tuple(parameters_of(RunOptions))
_OF_THE_ENGINE = tuple(
    # What it is depends on how many samples there are.
    one.replace(
        default=None,
        annotation=Annotated[
            float | None, typer.Option(help=f"Default 0, or {SAMPLED_AT} with several samples", rich_help_panel=_PANEL)
        ],
    )
    if one.name == "temperature"
    else one
    for one in parameters_of(EngineOptions, panel=_PANEL)
)


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
    known = {one.name: one for one in (*_BESIDE, *_OF_THE_POLICY, *_OF_THE_RUN, *_OF_THE_ENGINE)}
    if "policy" in without:
        without |= {one.name for one in _OF_THE_POLICY}
    taken = [
        one.replace(
            default=defaults.get(name, one.default),
            annotation=option_with(
                one.annotation, envvar=variables.get(name), help=engines if name == "engine" else None
            ),
        )
        for name, one in known.items()
        if name not in without
    ]
    usual = {name: one.default for name, one in known.items()}

    def gather(context: typer.Context, given: dict[str, Any]) -> Judging:
        with variables_named(variables_used(context)):
            return _judging({**usual, **given})

    return taking("judging", taken, gather)


def _judging(values: dict[str, Any]) -> Judging:
    """What the command was given, or one line on what is wrong in it."""
    try:
        values["task_instruction"] = read_instruction(values["task_instruction"])
    except UsageError as error:
        raise UsageError(error.message, hint=error.hint, about=Field("task_instruction")) from error
    asked = checked(RunOptions, {one.name: values[one.name] for one in _OF_THE_RUN})
    policy = policy_of({one.name: values[one.name] for one in _OF_THE_POLICY})
    if values["temperature"] is None:
        values["temperature"] = SAMPLED_AT if asked.samples > 1 else 0.0
    options = checked(EngineOptions, {one.name: values[one.name] for one in _OF_THE_ENGINE})
    own = {"engine": values["engine"], "order": values["order"], "policy": policy}
    return cast(Judging, {**own, **dict(asked), "options": options})
