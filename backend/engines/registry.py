"""Which engines there are, which can run here, and loading one. Nothing heavy is imported to ask."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from backend.engines.base import Engine, EngineOptions
from backend.errors import EngineError, EngineUnavailable, UsageError

ENGINES = ("vllm", "transformers", "openai", "scripted")


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
    vllm = _installed("vllm")
    transformers = [
        name for name in ("torch", "torchvision", "transformers") if not _installed(name)
    ]
    return [
        EngineInfo("vllm", vllm, "vLLM is installed" if vllm else "pip install '.[vllm]'"),
        EngineInfo(
            "transformers",
            not transformers,
            f"lacks {', '.join(transformers)}: pip install '.[transformers]'"
            if transformers
            else "transformers is installed",
        ),
        EngineInfo("openai", True, "needs --endpoint, such as that of `vllm serve`"),
        EngineInfo("scripted", True, "replays texts from a file"),
    ]


def has_gpu() -> bool:
    """Whether an NVIDIA GPU is there, asked without importing torch."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def resolve_engine(name: str, *, model: str, options: EngineOptions) -> ResolvedEngine:
    """The engine for a run; ``auto`` takes the best that is here.

    Raises:
        UsageError: Unknown name, or an option the engine needs is missing.
        EngineUnavailable: The engine is not installed.
    """
    if name not in (*ENGINES, "auto"):
        raise UsageError(f"unknown engine {name!r}", hint=f"auto, {', '.join(ENGINES)}")
    known = {engine.name: engine for engine in available_engines()}
    if name == "auto":
        return _best(known, options)
    if not known[name].available:
        raise EngineUnavailable(f"engine {name} is not installed", hint=known[name].why)
    if name == "openai" and not options.endpoints:
        raise UsageError("engine openai needs an endpoint", hint="--endpoint http://host:8000/v1")
    if name == "scripted" and not options.scripted_file:
        raise UsageError("engine scripted needs a file of texts", hint="--scripted-file FILE")
    return ResolvedEngine(name, f"asked for; model {model}")


def _best(known: dict[str, EngineInfo], options: EngineOptions) -> ResolvedEngine:
    if options.endpoints:
        return ResolvedEngine("openai", "endpoints were given")
    if known["vllm"].available and has_gpu():
        return ResolvedEngine("vllm", "vLLM is installed and there is a GPU")
    if known["transformers"].available:
        why = "no GPU was found" if known["vllm"].available else "vLLM is not installed"
        return ResolvedEngine("transformers", f"transformers is installed; {why}")
    if known["vllm"].available:
        return ResolvedEngine("vllm", "vLLM is installed; there is neither a GPU nor transformers")
    raise EngineUnavailable(
        "no engine is installed", hint="pip install '.[vllm]' on a GPU, else '.[transformers]'"
    )


def check_model(model: str) -> None:
    """Refuse what is plainly no model, before a process is started for it.

    Raises:
        EngineError: A local path without ``config.json``, or a path that does not exist.
    """
    path = Path(model)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise EngineError(
                f"{model} is no model: it has no config.json",
                hint="give the folder that save_pretrained wrote",
            )
        return
    hub_name = model.count("/") == 1 and not model.startswith((".", "/", "~"))
    if path.exists() or not hub_name:
        raise EngineError(
            f"{model} is no model",
            hint="give a model's folder, or its hub name as ORGANISATION/NAME",
        )


def load_engine(name: str, model: str, options: EngineOptions) -> Engine:
    """Load a judge. This is where the heavy imports happen.

    Raises:
        EngineError: The model cannot be loaded.
        EngineUnavailable: The engine's package is not installed.
    """
    if name == "scripted":
        from backend.engines.scripted import ScriptedEngine

        return ScriptedEngine(options)
    if name == "openai":
        from backend.engines.openai import OpenAIEngine

        return OpenAIEngine(model, options)
    if name == "transformers":
        from backend.engines.transformers import TransformersEngine

        return TransformersEngine(model, options)
    if name == "vllm":
        from backend.engines.vllm import VLLMEngine

        return VLLMEngine(model, options)
    raise UsageError(f"unknown engine {name!r}", hint=f"one of {', '.join(ENGINES)}")


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
