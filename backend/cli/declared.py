"""Options of a model as options of a command: name, type, default, bounds and help are the model's."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from backend.errors import UsageError
from backend.hints import Field
from backend.options import Option, Options, options_of

_TYPES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "lines": list[str], "path": Path}
Model = TypeVar("Model", bound=BaseModel)


def parameters_of(
    model: type[BaseModel], *, prefix: str = "", panel: str | None = None, unset: bool = False
) -> list[inspect.Parameter]:
    """A command's parameters for the options of a model.

    Args:
        unset: What is not given is ``None``, so that the command can tell it from the default.
    """
    return [_parameter(one, panel, unset) for one in options_of(model, prefix).values()]


class Extension(Protocol):
    """What has options of its own."""

    @property
    def name(self) -> str:
        """Before each of them."""
        ...

    @property
    def options(self) -> type[Options]:
        """Their model."""
        ...


def own_parameters(extensions: Iterable[Extension]) -> list[inspect.Parameter]:
    """A command's parameters for the options of each extension, ``--NAME-OPTION``."""
    return [
        parameter
        for one in extensions
        for parameter in parameters_of(one.options, prefix=f"{one.name}_", panel=f"Options of {one.name}", unset=True)
    ]


def own_options(extensions: Iterable[Extension], values: Mapping[str, Any]) -> dict[str, Options]:
    """The options that a command was given, by extension; only those of which one was given.

    Raises:
        UsageError: A value is out of range.
    """
    found: dict[str, Options] = {}
    for one in extensions:
        names = [option.parameter for option in options_of(one.options, f"{one.name}_").values()]
        given = {name: values[name] for name in names if values[name] is not None}
        if given:
            found[one.name] = checked(one.options, given, prefix=f"{one.name}_")
    return found


def taking(
    place: str, parameters: Sequence[inspect.Parameter], gather: Callable[[typer.Context, dict[str, Any]], Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these parameters where its own is called ``place``.

    It has to take a ``typer.Context`` named ``context``.

    Args:
        gather: What the command gets there, made of all that was given.
    """

    def give(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        whole: list[inspect.Parameter] = []
        for own in signature.parameters.values():
            whole += parameters if own.name == place else [own]

        @wraps(command)
        def run(**given: Any) -> None:
            taken = {one.name: given.pop(one.name) for one in parameters}
            command(**{place: gather(given["context"], taken)}, **given)

        # By keyword, so that an option that has to be given may follow one that has not.
        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in whole]
        run.__signature__ = signature.replace(parameters=keyword)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in keyword}
        return run

    return give


def checked(model: type[Model], values: Mapping[str, Any], *, prefix: str = "") -> Model:
    """The model of what a command was given, by parameter; ``None`` leaves a value at its default.

    Raises:
        UsageError: A value is out of range, or no number at all.
    """
    options = {one.parameter: one for one in options_of(model, prefix).values()}
    given: dict[str, Any] = {}
    for name, value in values.items():
        one = options[name]
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{value} is no number", about=Field(one.name))
        if value is not None:
            plain = str(value.absolute()) if isinstance(value, Path) else value
            given[one.name.removeprefix(prefix)] = tuple(plain) if one.kind == "lines" else plain
    try:
        return model(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = prefix + str(first["loc"][0])
        wrong = next((one for one in options.values() if one.name == name), None)
        raise UsageError(first["msg"], about=Field(name), hint=f"use {wrong.allowed}" if wrong else None) from error


def _parameter(one: Option, panel: str | None, unset: bool) -> inspect.Parameter:
    kind = _TYPES.get(one.kind, str)
    help = one.help
    if one.kind == "choice" and None not in one.choices:
        kind = type(one.choices[0])
        help = f"{help}: {', '.join(map(str, one.choices))}"
    elif one.kind == "choice":
        kind = bool
    elif one.kind in ("lines", "several"):
        if one.kind == "several":
            kind = list[type(one.choices[0])]  # type: ignore[misc]
        help = f"{help}; may be repeated"
    names = [one.flag, *one.flags]
    if kind is bool:
        names = [f"{one.flag}/--no-{one.flag.removeprefix('--')}"]
    default = None if unset or one.default == () else one.default
    if default is None:
        kind = kind | None
    option = typer.Option(*names, help=help, rich_help_panel=panel)
    return inspect.Parameter(
        one.parameter, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )
