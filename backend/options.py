"""Options declared once: fields of a pydantic model that also say how they are asked for.

    temperature: float = option(0.0, "0 is greedy", when="above 0 for samples", group="Generation", ge=0, le=2)

The command, its help, the form, its ranges and the equivalent command are made from such fields.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from backend.errors import WinnowError
from backend.foreign_text import quoted

Model = TypeVar("Model", bound=BaseModel)
Kind = Literal["int", "float", "bool", "text", "path", "choice", "several", "lines", "long"]


class Options(BaseModel):
    """Base of an extension's own options; as it is, for one that has none. Each has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a model.

    Attributes:
        name: The field's, behind the model's prefix.
        kind: ``lines`` is a list of texts, ``long`` a text of several lines, ``choice`` one of
            :attr:`choices`, which may hold ``None``, ``several`` any of them.
        help: What it is.
        when: When to change it; goes on behind "Change: ".
        lowest: The model's bound; with :attr:`above` it is excluded. ``None`` leaves it open.
        highest: The same for :attr:`below`.
        step: Of the arrows beside a number.
        flag: Its name on the command line.
        flags: Further names there.
        label: Its name on a page, where that is not :attr:`name`.
        names: What its choices are called there.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    when: str
    group: str
    lowest: float | None = None
    highest: float | None = None
    above: bool = False
    below: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()
    flag: str = ""
    flags: tuple[str, ...] = ()
    label: str = ""
    names: Mapping[Any, str] = field(default_factory=dict, hash=False)

    @property
    def parameter(self) -> str:
        """The flag as a name in Python."""
        return self.flag.removeprefix("--").replace("-", "_")

    def words(self, value: Any) -> list[str]:
        """The words of a command line that give it this value; none for its default."""
        if value is None or value == self.default:
            return []
        if isinstance(value, bool):
            return [self.flag if value else f"--no-{self.flag.removeprefix('--')}"]
        several = value if isinstance(value, tuple) else (value,)
        return [word for one in several for word in words_of(self.flag, str(one))]

    def plain(self, value: Any) -> Any:
        """A value as JSON can hold it; of several choices in their order."""
        if self.kind == "several":
            return [str(choice) for choice in self.choices if choice in value]
        return list(value) if self.kind == "lines" else value

    def holds(self, value: float) -> bool:
        """Whether a number is in range."""
        low, high = self.lowest, self.highest
        return (low is None or value > low or (value == low and not self.above)) and (
            high is None or value < high or (value == high and not self.below)
        )

    @property
    def range(self) -> str:
        """The range in words, such as ``above 0 and at most 2``; empty where all is allowed."""
        low, high = self.lowest, self.highest
        ends = [
            None if low is None else f"{'above' if self.above else 'at least'} {_said(low)}",
            None if high is None else f"{'below' if self.below else 'at most'} {_said(high)}",
        ]
        return " and ".join(end for end in ends if end)

    @property
    def allowed(self) -> str:
        """What it may be, in words, such as ``a number at least 0, or null``."""
        match self.kind:
            case "bool":
                what = "true or false"
            case "choice":
                what = f"one of: {', '.join('null' if one is None else str(one) for one in self.choices)}"
            case "several":
                what = f"a list of: {', '.join(map(str, self.choices))}"
            case "int" | "float":
                what = f"{'a whole number' if self.kind == 'int' else 'a number'} {self.range}".rstrip()
            case _:
                what = "a list of texts" if self.kind == "lines" else "a text"
        return f"{what}, or null" if self.default is None else what


def option(
    default: Any,
    help: str,
    *,
    when: str,
    group: str,
    step: float | None = None,
    long: bool = False,
    path: bool = False,
    among: Collection[str] | None = None,
    flag: str = "",
    flags: Iterable[str] = (),
    label: str = "",
    names: Mapping[Any, str] | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A pydantic field that is an option; see :class:`Option`.

    Args:
        among: The choices of a text, where no ``Literal`` can hold them: a registry.
    """
    asked: dict[str, Any] = {
        "when": when,
        "group": group,
        "step": step,
        "flag": flag,
        "flags": list(flags),
        "among": among,
        "label": label,
        "names": dict(names or {}),
        "text": "long" if long else "path" if path else "text",
    }
    return Field(default, description=help, json_schema_extra={"option": asked}, ge=ge, gt=gt, le=le, lt=lt)


def options_of(model: type[BaseModel], prefix: str = "") -> dict[str, Option]:
    """The options among a model's fields, by name, in their order."""
    found = (_option(prefix + name, field) for name, field in model.model_fields.items())
    return {one.name: one for one in found if one is not None}


def changed(model: BaseModel) -> dict[str, Any]:
    """The options of a model that differ from their defaults, by name."""
    values = {name: (getattr(model, name), one.default) for name, one in options_of(type(model)).items()}
    return {name: value for name, (value, default) in values.items() if value != default}


def grouped(options: Iterable[Option]) -> dict[str, tuple[Option, ...]]:
    """Options by their group, in the order in which the groups are first named."""
    groups: dict[str, tuple[Option, ...]] = {}
    for one in options:
        groups[one.group] = (*groups.get(one.group, ()), one)
    return groups


def filled(model: type[Model], values: Mapping[str, Any], *, of: str, error: type[WinnowError]) -> Model:
    """A model of these values.

    Args:
        of: Whose options they are, such as ``a policy's``.

    Raises:
        error: Names the option that is wrong, and what it may be.
    """
    try:
        return model(**values)
    except ValidationError as wrong:
        name, options = str(wrong.errors()[0]["loc"][0]), options_of(model)
        if name not in options:
            raise error(f"{of} {name} is no option", hint=f"one of {', '.join(options)}") from wrong
        allowed = options[name].allowed
        raise error(f"{of} {name} cannot be {quoted(str(values[name]))}", hint=f"use {allowed}") from wrong


def words_of(flag: str, value: str) -> list[str]:
    """An option and its value; a value that looks like an option is tied to its own."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def plain_type(field: FieldInfo) -> Any:
    """A field's type without ``None``."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    optional = type(None) in get_args(field.annotation)
    return kinds[0] if optional and len(kinds) == 1 else field.annotation


def _option(name: str, field: FieldInfo) -> Option | None:
    extra = field.json_schema_extra
    asked: Any = extra.get("option") if isinstance(extra, dict) else None
    if asked is None:
        return None
    kind, choices = _kind(field, asked["text"])
    if asked["among"] is not None:
        kind, choices = "choice", tuple(asked["among"])
    low = next((m for m in field.metadata if isinstance(m, Ge | Gt)), None)
    high = next((m for m in field.metadata if isinstance(m, Le | Lt)), None)
    return Option(
        name=name,
        kind=kind,
        default=field.default,
        help=field.description or "",
        when=asked["when"],
        group=asked["group"],
        lowest=_number(low.ge if isinstance(low, Ge) else low.gt if low else None),
        highest=_number(high.le if isinstance(high, Le) else high.lt if high else None),
        above=isinstance(low, Gt),
        below=isinstance(high, Lt),
        step=asked["step"],
        choices=choices,
        flag=asked["flag"] or f"--{name.replace('_', '-')}",
        flags=tuple(asked["flags"]),
        label=asked["label"],
        names=asked["names"],
    )


def _said(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _number(bound: Any) -> float | None:
    return bound if isinstance(bound, int | float) else None


def _kind(field: FieldInfo, text: Kind) -> tuple[Kind, tuple[Any, ...]]:
    kind = plain_type(field)
    if get_origin(kind) is Literal:
        return "choice", get_args(kind)
    if kind is bool:
        # Three answers where one is that nothing was said.
        return ("bool", ()) if field.annotation is bool else ("choice", (None, True, False))
    if get_origin(kind) in (tuple, frozenset):
        each = get_args(kind)[0]
        several = isinstance(each, type) and issubclass(each, Enum)
        return ("several", tuple(each)) if several else ("lines", ())
    if kind in (int, float):
        return ("int" if kind is int else "float"), ()
    return text, ()
