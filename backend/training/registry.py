"""Which trainers there are."""

from __future__ import annotations

from backend.extensions import Registry
from backend.training.base import Tools, Trainer, TrainerKind
from backend.training.spec import TrainingSpec

TRAINERS: Registry[TrainerKind] = Registry(
    "trainer",
    "winnow.trainers",
    {
        "local": "backend.training.local.trainer:LOCAL",
        "lightrft": "backend.training.lightrft.trainer:LIGHTRFT",
        "command": "backend.training.command:COMMAND",
    },
)
"""The first one is taken where none is named."""

DEFAULT = next(iter(TRAINERS))


def kind_of(spec: TrainingSpec) -> TrainerKind:
    """The trainer of a spec, as it is declared.

    Raises:
        UsageError: There is none of that name.
    """
    return TRAINERS.named(spec.trainer)


def load_trainer(name: str, tools: Tools) -> Trainer:
    """The trainer of that name. Nothing heavy is imported.

    Raises:
        UsageError: There is none of that name.
    """
    return TRAINERS.named(name).load(tools)
