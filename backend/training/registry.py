"""Which trainers there are."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from backend.errors import UsageError
from backend.foreign_text import quoted
from backend.training.base import Trainer

TRAINERS = ("local", "lightrft", "command")


@dataclass(frozen=True, slots=True)
class Tools:
    """Where trainers find what is not ours.

    Attributes:
        pythons: Interpreter of each trainer that has one of its own.
        lightrft_home: LightRFT's checkout, ``None`` when none is named.
    """

    pythons: dict[str, str] = field(default_factory=dict)
    lightrft_home: str | None = None

    def python_for(self, trainer: str) -> str:
        """The interpreter in which a trainer runs."""
        return self.pythons.get(trainer, sys.executable)


def load_trainer(name: str, tools: Tools) -> Trainer:
    """The trainer of that name. Nothing heavy is imported.

    Raises:
        UsageError: Unknown name.
    """
    if name == "local":
        from backend.training.local.trainer import LocalTrainer

        return LocalTrainer(tools.python_for("local"))
    if name == "lightrft":
        from backend.training.lightrft import LightRFTTrainer

        return LightRFTTrainer(tools.python_for("lightrft"), tools.lightrft_home)
    if name == "command":
        from backend.training.command import CommandTrainer

        return CommandTrainer()
    raise UsageError(f"unknown trainer {quoted(name)}", hint=f"one of {', '.join(TRAINERS)}")
