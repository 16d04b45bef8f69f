"""Every option of the launch form, and named fillings of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.engines.base import EngineOptions
from backend.inference.spec import RunOptions
from backend.options import grouped, options_of

ALL = {**options_of(RunOptions), **options_of(EngineOptions)}
GROUPS = grouped(ALL.values())
ENGINE_NAMES = tuple(options_of(EngineOptions))


@dataclass(frozen=True, slots=True)
class Preset:
    """A purpose, and the options that serve it."""

    name: str
    about: str
    values: dict[str, Any]


PRESETS = (
    Preset("Quick look", "the first 200 pairs", {"limit": 200}),
    Preset(
        "Both orders",
        "each pair in both orders; keeps what does not flip",
        {"order": "both", "policy": "order-consistent"},
    ),
    Preset(
        "Consensus of 4",
        "four samples at 0.7; keeps what three agree on",
        {"samples": 4, "temperature": 0.7, "policy": "consensus"},
    ),
    Preset("Defaults", "everything back to its default", {}),
)
