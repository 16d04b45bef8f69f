"""A filter policy on the command line: one by its name or file, and the options of its rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.declared import checked, parameters_of, taking
from backend.domain.filtering import PRESETS, Policy, load_policy
from backend.domain.json_text import load_json
from backend.domain.rules.registry import RULES
from backend.errors import PolicyError
from backend.foreign_text import brief, quoted

_HELP = f"Filter policy: {', '.join(PRESETS)}, a JSON file, or JSON"
_PANEL = "Rules of the policy, in place of what --policy says"
_POLICIES = f"presets: {', '.join(PRESETS)}; or a JSON file"


def policy_option(default: Any) -> inspect.Parameter:
    """The parameter that names a policy."""
    return inspect.Parameter(
        "policy", inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[str, typer.Option(help=_HELP)]
    )


def of_the_rules() -> list[inspect.Parameter]:
    """A parameter for each option of each rule; what is not given is ``None``."""
    return [one for rule in RULES.usable for one in parameters_of(rule.options, panel=_PANEL, unset=True)]


def policy_options(default: Any = inspect.Parameter.empty) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command a policy in the place of its parameter ``policy``.

    The command gets a :class:`Policy`. It has to take a ``typer.Context`` named ``context``.
    """
    return taking("policy", (policy_option(default), *of_the_rules()), lambda _context, given: policy_of(given))


def policy_of(given: Mapping[str, Any]) -> Policy:
    """The policy that a command was given: the one named, with the rules' options in place of its own.

    Raises:
        PolicyError: There is no such policy, or the file is none.
        UsageError: A rule's option is out of range.
    """
    named = read_policy(given["policy"])
    changes: dict[str, Any] = {}
    for rule in RULES.usable:
        told = {one.parameter: one.name for one in rule.asks.values() if given[one.parameter] is not None}
        if told:
            options = checked(rule.options, {parameter: given[parameter] for parameter in told})
            changes |= {name: getattr(options, name) for name in told.values()}
    changed = named.but(**changes)
    return named if changed == named else changed.but(name="custom")


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
