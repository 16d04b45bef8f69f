"""The ``local`` trainer as a job: what it needs, its command, and what it has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.preflight import Check, Level
from backend.hints import Hint
from backend.training.base import Checkpoint, Command, Metric, TrainerKind, torchrun
from backend.training.local.checkpoints import whole_checkpoints
from backend.training.local.journal import read_metrics
from backend.training.probing import check_packages, check_port
from backend.training.spec import TrainingSpec

MODULE = "backend.training.local"
_PACKAGES = ("torch", "torchvision", "transformers", "safetensors")


@dataclass(frozen=True, slots=True)
class LocalTrainer:
    """Winnow's own fine-tuning.

    Args:
        python: The interpreter that has torch and transformers.
    """

    python: str

    def preflight(self, spec: TrainingSpec) -> Sequence[Check]:
        """See :class:`backend.training.base.Trainer`."""
        packages = (*_PACKAGES, "peft") if spec.lora else _PACKAGES
        checks = [check_packages(self.python, packages, hint="pip install '.[train]'")]
        if spec.flash_attn:
            checks.append(
                check_packages(
                    self.python,
                    ("flash_attn",),
                    name="Flash attention",
                    hint=Hint("pip install flash-attn, or leave {flash_attn} out"),
                )
            )
        if spec.processes > 1:
            checks.append(check_port(spec))
        if spec.train_batch_size % (spec.micro_train_batch_size * spec.processes):
            checks.append(
                Check(
                    "Batch",
                    Level.WARN,
                    f"train_batch_size {spec.train_batch_size} is no multiple of "
                    f"{spec.micro_train_batch_size} x {spec.processes} processes",
                    "the last micro batch of each step is smaller; results are right all the same",
                )
            )
        return checks

    def command(self, spec: TrainingSpec, folder: Path) -> Command:
        """One process, or ``torchrun`` where there are to be several."""
        if spec.processes == 1:
            alone = (self.python, "-m", MODULE, str(folder))
            return Command(alone, spec.visible_devices, heeds_stop=True)
        # By a file, because torchrun kills its workers 30 s after a SIGTERM.
        argv = (*torchrun(self.python, spec), "-m", MODULE, str(folder))
        return Command(argv, spec.visible_devices, heeds_stop=True)

    def self_check(self) -> Command:
        """See :class:`backend.training.base.Trainer`."""
        return Command((self.python, "-m", "backend.training.self_check"))

    def metrics(self, folder: Path) -> Sequence[Metric]:
        """See :class:`backend.training.base.Trainer`."""
        return read_metrics(folder)

    def checkpoints(self, folder: Path) -> Sequence[Checkpoint]:
        """See :class:`backend.training.base.Trainer`."""
        return whole_checkpoints(folder)


LOCAL = TrainerKind(
    name="local",
    label="built in",
    purpose="Trains on the CPU or the GPUs of this machine.",
    load=lambda tools: LocalTrainer(tools.python_for("local")),
    unsupported_options=frozenset({"zero_stage", "data_format"}),
)
