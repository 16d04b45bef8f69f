"""What starts a training: the command of each node, the devices it holds, and the ``winnow train start``
that asks for it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from backend.engines.installed import has_gpu
from backend.options import options_of, words_of
from backend.training.base import Command, Trainer
from backend.training.registry import DEFAULT, kind_of
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
    return "cuda" if kind_of(spec).needs_gpu or has_gpu() else "cpu"


def start_line(spec: TrainingSpec, *, workspace: Path | None = None) -> str:
    """The ``winnow train start`` that asks for a training, quoted for a POSIX shell; what has its default is
    left out.

    Args:
        workspace: Name the workspace in it, for a terminal that is elsewhere.
    """
    return shlex.join(start_words(spec, workspace=workspace))


def start_words(spec: TrainingSpec, *, workspace: Path | None = None) -> list[str]:
    """The command as a list of words."""
    words = ["winnow"]
    if workspace is not None:
        words += words_of("--workspace", str(workspace))
    words += ["train", "start"]
    for ref in spec.sets:
        words += words_of("--set", f"{ref.name}@{ref.version}")
    words += words_of("--model", spec.model) + words_of("--output-dir", spec.output_dir)
    if spec.trainer != DEFAULT:
        words += words_of("--trainer", spec.trainer)
    if spec.lora is not None:
        words.append("--lora")
        words += _given(spec.lora, "lora_")
    if spec.command:
        words += words_of("--command", shlex.join(spec.command))
    return words + _given(spec)


def _given(spec: BaseModel, prefix: str = "") -> list[str]:
    options = options_of(type(spec), prefix).values()
    return [word for one in options for word in one.words(getattr(spec, one.name.removeprefix(prefix)))]
