"""Hyperparameters as command-line options: presets, LoRA and how checks are printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from backend.cli.declared import checked
from backend.cli.hints import in_command
from backend.cli.output import say
from backend.domain.preflight import Check, Level
from backend.errors import UsageError
from backend.foreign_text import quoted
from backend.training.spec import PRESETS, LoraSpec

Preset = Annotated[str | None, typer.Option(help=f"Starting point: {', '.join(PRESETS)}; other options override it")]
Lora = Annotated[bool | None, typer.Option("--lora/--full", help="Low-rank adapters, or all weights")]
Command = Annotated[
    str | None, typer.Option(help="Of the command trainer: its arguments with {data}, {model}, {output}, …")
]
_MARKS = {Level.OK: "ok  ", Level.WARN: "warn", Level.FAIL: "FAIL"}


def with_preset(name: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's values under those that were given.

    Raises:
        UsageError: There is no such preset.
    """
    if name is not None and name not in PRESETS:
        raise UsageError(f"unknown preset {quoted(name)}", hint=f"one of {', '.join(PRESETS)}")
    values = dict(PRESETS[name]) if name else {}
    values |= {key: value for key, value in given.items() if value is not None}
    if values.get("lora") is False:
        del values["lora"]
    return values


def lora_values(wanted: bool | None, given: Mapping[str, Any]) -> LoraSpec | bool | None:
    """The adapters that were asked for; false for none of them, ``None`` when nothing was said.

    Raises:
        UsageError: A value is out of range.
    """
    if wanted is False:
        return False
    if wanted is None and all(value in (None, [], ()) for value in given.values()):
        return None
    return checked(LoraSpec, given, prefix="lora_")


def note_checks(checks: Iterable[Check]) -> None:
    """A line each, and a hint where there is one."""
    for check in checks:
        say(f"{_MARKS[check.level]} {check.name}: {check.message}")
        if check.hint and check.level is not Level.OK:
            say(f"     {in_command(check.hint)}")
