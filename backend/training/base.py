"""What a trainer is: how it is declared, and six questions that it answers without importing anything heavy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from backend.domain.preflight import Check
from backend.export.formats import OURS
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


@dataclass(frozen=True, slots=True)
class Tools:
    """Where trainers find what is not ours.

    Attributes:
        pythons: Interpreter of each trainer that has one of its own.
        lightrft_home: LightRFT's checkout, ``None`` when none is named.
    """

    pythons: Mapping[str, str] = field(default_factory=dict)
    lightrft_home: str | None = None

    def python_for(self, trainer: str) -> str:
        """The interpreter in which a trainer runs."""
        return self.pythons.get(trainer, sys.executable)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerKind:
    """A trainer as it is declared, in the file that holds it.

    Attributes:
        label: Behind its name where one is chosen.
        purpose: One sentence.
        load: Makes it. Nothing heavy is imported.
        unsupported_options: Options of the spec that it has nothing for.
        words: What an option means to it, where that differs, by the option's name.
        data_format: The format in which it reads sets; ``None`` leaves it to the spec.
        needs_gpu: It trains on NVIDIA GPUs alone.
        shards: It divides weights, gradients and optimizer over the devices by ``zero_stage``.
        drops_last: It leaves out the rows that do not fill a batch.
        by_template: It runs any program, by the spec's ``command``: what that program makes and whether
            it resumes is not known.
        reads_script_variables: Options that are not given are read from the variables of the scripts
            whose place it takes.
    """

    name: str
    label: str
    purpose: str
    load: Callable[[Tools], Trainer]
    unsupported_options: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)
    data_format: str | None = OURS
    needs_gpu: bool = False
    shards: bool = False
    drops_last: bool = False
    by_template: bool = False
    reads_script_variables: bool = False


def torchrun(python: str, spec: TrainingSpec) -> tuple[str, ...]:
    """The words that start a spec's processes on one node; what they run comes behind."""
    return (
        *(python, "-m", "torch.distributed.run"),
        *("--nnodes", str(spec.nnodes), "--nproc-per-node", str(spec.gpus_per_node)),
        *("--node_rank", str(spec.node_rank)),
        *("--master-port", str(spec.master_port), "--master-addr", spec.master_addr),
    )
