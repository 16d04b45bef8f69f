"""The ``winnow run start`` command that does what a form asks for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from backend.domain.filtering import PRESETS, Policy
from backend.engines.base import EngineOptions
from backend.inference.launch import RunRequest
from backend.inference.spec import SAMPLED_AT, RunOptions
from backend.options import options_of, words_of


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
        words += words_of("--workspace", str(workspace))
    words += ["run", "start"]
    words += words_of("--dataset", request.dataset) + words_of("--model", request.model)
    plain = RunRequest(dataset=request.dataset, model=request.model)
    for name in ("engine", "order"):
        value = getattr(request, name)
        if value != getattr(plain, name):
            words += words_of(f"--{name}", str(value))
    for one in options_of(RunOptions).values():
        value = getattr(request, one.name)
        # An instruction for each medium is no command's.
        words += one.words(None if isinstance(value, Mapping) else value)
    if request.policy != plain.policy:
        words += words_of("--policy", _policy(request.policy))
    for one in options_of(EngineOptions).values():
        value = getattr(request.options, one.name)
        if one.name == "temperature":
            # The command draws several samples at another one, unless it is told otherwise.
            one = replace(one, default=SAMPLED_AT if request.samples > 1 else 0.0)
        words += one.words(value)
    return words


def _policy(policy: Policy) -> str:
    """A preset's name, or the policy itself as JSON."""
    if PRESETS.get(policy.name) == policy:
        return policy.name
    default = Policy().to_mapping()
    changed = {k: v for k, v in policy.to_mapping().items() if (k, v) not in default.items()}
    return json.dumps(changed, ensure_ascii=False)
