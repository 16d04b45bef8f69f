"""What is said of a run or a training before it starts: one line for each thing looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backend.hints import Hint


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    """The job would be refused, or fail at once."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: Level
    message: str
    hint: Hint | str | None = None
