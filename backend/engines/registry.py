"""Which engines there are, which can run here, and loading one. Nothing heavy is imported to ask."""

from __future__ import annotations

from dataclasses import dataclass

from backend.engines.base import Engine, EngineKind, EngineOptions
from backend.engines.models import check_model
from backend.errors import EngineUnavailable
from backend.extensions import Registry

ENGINES: Registry[EngineKind] = Registry(
    "engine",
    "winnow.engines",
    {
        "openai": "backend.engines.openai:OPENAI",
        "vllm": "backend.engines.vllm:VLLM",
        "transformers": "backend.engines.transformers:TRANSFORMERS",
        "scripted": "backend.engines.scripted:SCRIPTED",
    },
)
"""In the order in which they are asked whether they suit, where none was named."""

AUTO = "auto"
"""In place of a name: the best that is here."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Whether an engine can run here, and why (not)."""

    name: str
    available: bool
    why: str


@dataclass(frozen=True, slots=True)
class ResolvedEngine:
    """The engine that will run, and why it was chosen."""

    name: str
    why: str


def available_engines() -> list[EngineInfo]:
    """Every engine, with what it lacks."""
    found = []
    for kind in ENGINES.usable:
        lacks = kind.lacks()
        found.append(EngineInfo(kind.name, lacks is None, lacks or kind.purpose))
    return found


def loads_model(name: str) -> bool:
    """Whether an engine loads the model itself; those of runs that were imported do not."""
    kind = ENGINES.known(name)
    return kind is not None and kind.loads_model


def asks_servers(name: str, options: EngineOptions) -> bool:
    """Whether an engine, ``auto`` included, asks servers for what a judge says."""
    if name == AUTO:
        return bool(options.endpoints)
    kind = ENGINES.known(name)
    return kind is not None and kind.asks_servers


def replays(name: str) -> bool:
    """Whether an engine tells only what was said elsewhere."""
    kind = ENGINES.known(name)
    return kind is not None and kind.replays


def resolve_engine(name: str, *, model: str, options: EngineOptions) -> ResolvedEngine:
    """The engine for a run; ``auto`` takes the best that is here.

    Raises:
        UsageError: Unknown name, or an option the engine needs is missing.
        EngineUnavailable: The engine is not installed, or not for the device asked for.
        EngineError: ``model`` is plainly no model, and the engine loads it itself.
    """
    if name == AUTO:
        kind, why = _best(options)
    else:
        kind, why = ENGINES.named(name, AUTO), f"asked for; model {model}"
        if lacks := kind.lacks():
            raise EngineUnavailable(f"engine {name} is not installed", hint=lacks)
    if kind.loads_model:
        check_model(model)
    kind.check(options)
    return ResolvedEngine(kind.name, why)


def _best(options: EngineOptions) -> tuple[EngineKind, str]:
    able = [kind for kind in ENGINES.usable if kind.lacks() is None]
    for kind in able:
        if why := kind.suits(options):
            return kind, why
    for kind in able:
        if kind.loads_model:
            return kind, "no other engine that loads a model is installed"
    raise EngineUnavailable("no engine is installed", hint="pip install '.[vllm]' on a GPU, else '.[transformers]'")


def load_engine(name: str, model: str, options: EngineOptions) -> Engine:
    """Load a judge. This is where the heavy imports happen.

    Raises:
        EngineError: The model cannot be loaded.
        EngineUnavailable: The engine's package is not installed.
    """
    kind = ENGINES.named(name)
    if kind.loads_model:
        # A model may have gone since the run was queued.
        check_model(model)
    return kind.load(model, options)
