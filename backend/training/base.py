"""What a trainer is: five questions, answered without importing anything heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from backend.domain.preflight import Check
from backend.training.spec import TrainingSpec


@dataclass(frozen=True, slots=True)
class Command:
    """What is started: a list of arguments, never a shell string, and variables to add.

    Attributes:
        heeds_stop: It looks for :data:`backend.training.folder.STOP` in the training's folder all the
            time, and then saves and ends. Any other command gets SIGTERM.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    heeds_stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What is known of one optimizer step; ``None`` where the trainer does not say.

    Attributes:
        learning_rate: At that step.
        samples_per_s: Throughput.
        time: Seconds since the epoch.
    """

    step: int
    loss: float | None = None
    validation_loss: float | None = None
    learning_rate: float | None = None
    samples_per_s: float | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        step: Optimizer steps done; ``None`` for the final one when unknown.
        judge: Whether a judge can be loaded from the folder as it is. DeepSpeed's shards cannot.
    """

    path: Path
    step: int | None
    final: bool
    judge: bool = True


class Trainer(Protocol):
    """One way to train. ``folder`` is the training's output folder, see :mod:`.folder`; its ``data``
    holds the exports of the sets by the time the command runs."""

    @property
    def name(self) -> str:
        """As in the spec."""
        ...

    def preflight(self, spec: TrainingSpec) -> Sequence[Check]:
        """What this trainer needs, checked now; the checks all trainers share are elsewhere."""
        ...

    def command(self, spec: TrainingSpec, folder: Path) -> Command:
        """What to start. Calling it again for a resumed training continues from the last checkpoint.

        Raises:
            TrainerUnavailable: The trainer's package, checkout or interpreter is missing.
        """
        ...

    def self_check(self) -> Command | None:
        """The program that holds this trainer's losses against those of inference, which reads a
        :class:`backend.training.self_check.Job`; ``None`` where its code is not known, or not there."""
        ...

    def metrics(self, folder: Path) -> Sequence[Metric]:
        """Everything written so far, by step."""
        ...

    def checkpoints(self, folder: Path) -> Sequence[Checkpoint]:
        """Whole checkpoints, oldest first; one that is cut off is not among them."""
        ...
