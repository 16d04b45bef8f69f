"""A filter policy on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.domain.filtering import PRESETS, Policy, load_policy
from backend.domain.json_text import load_json
from backend.errors import PolicyError
from backend.foreign_text import brief, quoted

PolicyOption = Annotated[str, typer.Option(help=f"Filter policy: {', '.join(PRESETS)}, a JSON file, or JSON")]

_POLICIES = f"presets: {', '.join(PRESETS)}; or a JSON file"


def read_policy(given: str) -> Policy:
    """A preset by its name, a policy file, or the policy itself as JSON.

    Raises:
        PolicyError: Neither exists, or the file is no policy.
    """
    if given in PRESETS:
        return PRESETS[given]
    if given.lstrip().startswith("{"):
        try:
            return load_policy(load_json(given, unique=True))
        except ValueError as error:
            raise PolicyError(f"the policy is not JSON ({brief(error)})", hint=_POLICIES) from error
    path = Path(given)
    if not path.is_file():
        raise PolicyError(f"there is no policy {quoted(given)}", hint=_POLICIES)
    try:
        return load_policy(load_json(path.read_text(encoding="utf-8"), unique=True))
    except (ValueError, OSError) as error:
        raise PolicyError(f"{path}: not a JSON policy ({brief(error)})", hint=_POLICIES) from error
