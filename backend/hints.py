"""What to do about an error, in plain words and references that each edge words for its reader.

    Hint("lower {fps} or try {bf16:no}, then {RESUME_TRAINING}", on=3)

The command says "lower --fps or try --bf16 no, then `winnow train resume 3`"; a page names the fields and
links to the training. A hint that refers to nothing is a plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter
from typing import Any

from backend.foreign_text import one_line

LONGEST = 600
"""Characters of a message, and of a hint."""


class Action(StrEnum):
    """What a person can do or look at, in words that belong to no edge."""

    ADD_DATASET = "add dataset"
    LIST_RUNS = "list of runs"
    SHOW_RUN = "run"
    RUN_LOG = "log of run"
    RESUME_RUN = "resume run"
    CANCEL_RUN = "cancel run"
    FILTER_RUN = "decide anew run"
    REPARSE_RUN = "parse again run"
    LIST_PREDICTIONS = "predictions of run"
    LIST_RULINGS = "rulings of run"
    LIST_SETS = "list of sets"
    BALANCE_SET = "balance by position"
    EXPORT_SET = "export"
    LIST_TRAININGS = "list of trainings"
    START_TRAINING = "start training"
    TRAINING_OPTIONS = "options of a training"
    SHOW_TRAINING = "training"
    TRAINING_LOG = "log of training"
    RESUME_TRAINING = "resume training"
    STOP_TRAINING = "stop training"
    EVALUATE_TRAINING = "evaluate training"
    LIST_LOOPS = "list of loops"
    START_LOOP = "start loop"
    SHOW_LOOP = "loop"
    RESUME_LOOP = "resume loop"
    CANCEL_LOOP = "cancel loop"
    CONVERT = "convert"
    BUILD_JUDGE = "build the demo judge"


@dataclass(frozen=True, slots=True)
class Field:
    """An option, by the name that its model or its command gives it.

    Attributes:
        value: What to give it, where that is known; ``False`` switches it off.
    """

    name: str
    value: str | int | float | bool | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name} {self.value}"


@dataclass(frozen=True, slots=True)
class Do:
    """Something to do.

    Attributes:
        on: Which run, training or other thing; ``None`` where the reader knows.
        given: Options to do it with.
    """

    action: Action
    on: int | str | None = None
    given: tuple[Field, ...] = ()

    def __str__(self) -> str:
        return f"“{self.action.value}{'' if self.on is None else f' {self.on}'}”"


Part = str | Field | Do


@dataclass(frozen=True, slots=True, init=False)
class Hint:
    """Words and references, in the order in which they are read; ``str`` is for logs.

    Args:
        template: A sentence; ``{name}`` is that option, ``{name:value}`` the option with a value and
            ``{ACTION}`` an action.
        on: What the actions are done on.
        named: What else a name in braces stands for. A text is shown as it is, whatever is in it.
    """

    parts: tuple[Part, ...]

    def __init__(self, template: str, *, on: int | str | None = None, **named: Part | Hint | int) -> None:
        parts: list[Part] = []
        for words, name, value, _ in Formatter().parse(template):
            if words:
                parts.append(words)
            if name in named:
                one = named[name]
                parts += one.parts if isinstance(one, Hint) else [str(one) if isinstance(one, int) else one]
            elif name is not None:
                parts.append(Do(Action[name], on) if name.isupper() else Field(name, value or None))
        object.__setattr__(self, "parts", tuple(parts))

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Hint:
        """A hint of parts that are known."""
        made = object.__new__(cls)
        object.__setattr__(made, "parts", tuple(parts))
        return made

    def __str__(self) -> str:
        return one_line("".join(map(str, self.parts)), LONGEST)


_KEY = "hint"


def to_text(hint: Hint | str | None) -> str | None:
    """A hint for a row or a file: plain words as they are, references as JSON."""
    if isinstance(hint, Hint):
        return json.dumps({_KEY: [_written(part) for part in hint.parts]})
    return hint


def from_text(text: str | None) -> Hint | str | None:
    """What :func:`to_text` wrote. Anything else, such as a row of an older Winnow, is plain words."""
    if text is None or not text.startswith(f'{{"{_KEY}"'):
        return text
    try:
        return Hint.of(map(_read, json.loads(text)[_KEY]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return text


def _written(part: Part) -> Any:
    if isinstance(part, str):
        return part
    if isinstance(part, Field):
        written: dict[str, Any] = {"field": part.name, "value": part.value}
    else:
        written = {"do": part.action.name, "on": part.on, "given": [*map(_written, part.given)] or None}
    return {name: value for name, value in written.items() if value is not None}


def _read(part: Any) -> Part:
    if isinstance(part, str):
        return part
    if "field" in part:
        return _field(part)
    return Do(Action[part["do"]], part.get("on"), tuple(map(_field, part.get("given", ()))))


def _field(part: Mapping[str, Any]) -> Field:
    return Field(str(part["field"]), part.get("value"))
