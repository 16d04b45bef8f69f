"""The ``winnow run start`` command that does what a form asks for."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from backend.domain.filtering import PRESETS, Policy
from backend.engines.base import EngineOptions
from backend.inference.launch import RunRequest

_FLAGS = ("enforce_eager", "trust_remote_code")


def command_line(request: RunRequest, *, workspace: Path | None = None) -> str:
    """The command, quoted for a POSIX shell; what has its default is left out.

    Args:
        workspace: Name the workspace in it, for a terminal that is elsewhere.
    """
    return shlex.join(arguments(request, workspace=workspace))


def arguments(request: RunRequest, *, workspace: Path | None = None) -> list[str]:
    """The command as a list of words."""
    words = ["winnow"]
    if workspace is not None:
        words += _option("workspace", str(workspace))
    words += ["run", "start"]
    words += _option("dataset", request.dataset) + _option("model", request.model)
    plain = RunRequest(dataset=request.dataset, model=request.model)
    for name in ("engine", "order", "samples", "seed", "limit"):
        value = getattr(request, name)
        if value != getattr(plain, name):
            words += _option(name, str(value))
    if not request.use_cot:
        words.append("--no-use-cot")
    if isinstance(request.instruction, str):
        words += _option("task_instruction", request.instruction)
    if request.policy != plain.policy:
        words += _option("policy", _policy(request.policy))
    return words + _engine_options(request)


def _engine_options(request: RunRequest) -> list[str]:
    words: list[str] = []
    defaults = EngineOptions()
    for name in EngineOptions.model_fields:
        value = getattr(request.options, name)
        if name == "temperature":
            # The command draws several samples at 0.7, unless it is told otherwise.
            if value != (0.7 if request.samples > 1 else 0.0):
                words += _option(name, str(value))
        elif value == getattr(defaults, name):
            continue
        elif name in _FLAGS:
            words.append(f"--{name.replace('_', '-')}")
        elif name == "endpoints":
            for endpoint in value:
                words += _option("endpoint", endpoint)
        else:
            words += _option(name, str(value))
    return words


def _policy(policy: Policy) -> str:
    """A preset's name, or the policy itself as JSON."""
    if PRESETS.get(policy.name) == policy:
        return policy.name
    default = Policy().to_mapping()
    changed = {k: v for k, v in policy.to_mapping().items() if v != default[k]}
    return json.dumps(changed, ensure_ascii=False)


def _option(name: str, value: str) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    # A value that looks like an option must be tied to its own.
    return [f"{option}={value}"] if value.startswith("-") else [option, value]
