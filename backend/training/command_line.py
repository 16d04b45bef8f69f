"""The ``winnow train start`` command that does what a form asks for."""

from __future__ import annotations

import shlex
from pathlib import Path

from backend.training.spec import LoraSpec, TrainingSpec

_ASKED = ("sets", "model", "output_dir", "trainer")
"""Named in every command, or first; the rest is left out where it has its default."""

_SWITCHES = ("gradient_checkpointing", "flash_attn")


def start_line(spec: TrainingSpec, *, workspace: Path | None = None) -> str:
    """The command, quoted for a POSIX shell; what has its default is left out.

    Args:
        workspace: Name the workspace in it, for a terminal that is elsewhere.
    """
    return shlex.join(start_words(spec, workspace=workspace))


def start_words(spec: TrainingSpec, *, workspace: Path | None = None) -> list[str]:
    """The command as a list of words."""
    words = ["winnow"]
    if workspace is not None:
        words += _option("workspace", str(workspace))
    words += ["train", "start"]
    for ref in spec.sets:
        words += _option("set", f"{ref.name}@{ref.version}")
    words += _option("model", spec.model) + _option("output_dir", spec.output_dir)
    if spec.trainer != "local":
        words += _option("trainer", spec.trainer)
    for name, field in TrainingSpec.model_fields.items():
        value = getattr(spec, name)
        if name in _ASKED or value == field.default:
            continue
        if isinstance(value, LoraSpec):
            words += _lora(value)
        elif name == "command":
            words += _option(name, shlex.join(value))
        elif name in _SWITCHES:
            words.append(f"--{'' if value else 'no-'}{name.replace('_', '-')}")
        else:
            words += _option(name, str(value))
    return words


def _lora(lora: LoraSpec) -> list[str]:
    words = ["--lora"]
    for name, field in LoraSpec.model_fields.items():
        value = getattr(lora, name)
        if value == field.default:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += _option(f"lora_{name}", str(one))
    return words


def _option(name: str, value: str) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    # A value that looks like an option must be tied to its own.
    return [f"{option}={value}"] if value.startswith("-") else [option, value]
