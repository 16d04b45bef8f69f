"""What would be started for a training: the command of each node, and the devices it holds."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from backend.engines.installed import has_gpu
from backend.training.base import Command, Trainer
from backend.training.spec import TrainingSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be started.

    Attributes:
        node_lines: The line to start on each node, the first of them being this one's.
    """

    spec: TrainingSpec
    command: Command
    devices: str
    node_lines: tuple[str, ...]


def plan_of(spec: TrainingSpec, trainer: Trainer) -> Plan:
    """What would be started, without starting it.

    Raises:
        TrainerUnavailable: The trainer's checkout or interpreter is missing.
        UsageError: The ``command`` trainer's template cannot be filled in.
    """
    folder = Path(spec.output_dir)
    lines = []
    for rank in range(spec.nnodes):
        node = spec.model_copy(update={"node_rank": rank})
        lines.append(command_line(trainer.command(node, folder)))
    return Plan(spec=spec, command=trainer.command(spec, folder), devices=devices_of(spec), node_lines=tuple(lines))


def command_line(command: Command) -> str:
    """A command with its variables, quoted for a POSIX shell, for a person to copy."""
    words = [f"{name}={value}" for name, value in sorted(command.env.items())]
    line = shlex.join([*(["env", *words] if words else []), *command.argv])
    return f"cd {shlex.quote(command.cwd)} && {line}" if command.cwd else line


def devices_of(spec: TrainingSpec) -> str:
    """The device set that a training holds while it goes, as runs name theirs."""
    if spec.device != "auto":
        return spec.device
    return "cuda" if spec.trainer == "lightrft" or has_gpu() else "cpu"
