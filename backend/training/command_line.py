"""The ``winnow train start`` command that does what a form asks for."""

from __future__ import annotations

import shlex
from pathlib import Path

from pydantic import BaseModel

from backend.options import options_of, words_of
from backend.training.spec import TrainingSpec


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
        words += words_of("--workspace", str(workspace))
    words += ["train", "start"]
    for ref in spec.sets:
        words += words_of("--set", f"{ref.name}@{ref.version}")
    words += words_of("--model", spec.model) + words_of("--output-dir", spec.output_dir)
    if spec.trainer != "local":
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
