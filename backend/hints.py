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

    ADD_DATASET = "add the dataset"
    LIST_RUNS = "list the runs"
    SHOW_RUN = "look at the run"
    RUN_LOG = "the log of the run"
    RESUME_RUN = "resume the run"
    CANCEL_RUN = "cancel the run"
    FILTER_RUN = "decide the run anew"
    REPARSE_RUN = "parse the run again"
    LIST_PREDICTIONS = "list the predictions of the run"
    LIST_RULINGS = "list the rulings"
    LIST_SETS = "list the sets"
    BALANCE_SET = "balance the set"
    EXPORT_SET = "export the set"
    LIST_TRAININGS = "list the trainings"
    START_TRAINING = "start a training"
    TRAINING_OPTIONS = "the options of a training"
    SHOW_TRAINING = "look at the training"
    TRAINING_LOG = "the log of the training"
    RESUME_TRAINING = "resume the training"
    STOP_TRAINING = "stop the training"
    EVALUATE_TRAINING = "evaluate the training"
    LIST_LOOPS = "list the loops"
    START_LOOP = "start a loop"
    SHOW_LOOP = "look at the loop"
    RESUME_LOOP = "resume the loop"
    CANCEL_LOOP = "cancel the loop"
    CONVERT = "convert the file"
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
        return self.action.value if self.on is None else f"{self.action.value} {self.on}"


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
    if isinstance(part, Field):
        return {"field": part.name, "value": part.value}
    if isinstance(part, Do):
        return {"do": part.action.name, "on": part.on, "given": [_written(field) for field in part.given]}
    return part


def _read(part: Any) -> Part:
    if isinstance(part, str):
        return part
    if "field" in part:
        return _field(part)
    return Do(Action[part["do"]], part["on"], tuple(map(_field, part["given"])))


def _field(part: Mapping[str, Any]) -> Field:
    return Field(str(part["field"]), part["value"])
