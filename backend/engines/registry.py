"""Which engines there are, which can run here, and loading one. Nothing heavy is imported to ask."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from backend.engines.base import Engine, EngineOptions
from backend.engines.models import check_model
from backend.errors import EngineUnavailable, UsageError
from backend.foreign_text import quoted

ENGINES = ("vllm", "transformers", "openai", "scripted")

LOADING = ("vllm", "transformers")
"""Those that load the model themselves, so that it must be one."""


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


def asks_servers(name: str, options: EngineOptions) -> bool:
    """Whether an engine, ``auto`` included, asks servers for what a judge says."""
    return name == "openai" or (name == "auto" and bool(options.endpoints))


def resolve_engine(name: str, *, model: str, options: EngineOptions) -> ResolvedEngine:
    """The engine for a run; ``auto`` takes the best that is here.

    Raises:
        UsageError: Unknown name, or an option the engine needs is missing.
        EngineUnavailable: The engine is not installed, or not for the device asked for.
        EngineError: ``model`` is plainly no model, and the engine loads it itself.
    """
    if name not in (*ENGINES, "auto"):
        raise UsageError(f"unknown engine {quoted(name)}", hint=f"auto, {', '.join(ENGINES)}")
    known = {engine.name: engine for engine in available_engines()}
    if name == "auto":
        best = _best(known, options)
        if best.name in LOADING:
            check_model(model)
        return best
    if not known[name].available:
        raise EngineUnavailable(f"engine {name} is not installed", hint=known[name].why)
    if name == "openai" and not options.endpoints:
        raise UsageError("engine openai needs an endpoint", hint="--endpoint http://host:8000/v1")
    if name == "scripted" and not options.scripted_file:
        raise UsageError("engine scripted needs a file of texts", hint="--scripted-file FILE")
    if name in LOADING:
        check_model(model)
    if name == "vllm":
        _refuse_cpu(options)
    return ResolvedEngine(name, f"asked for; model {model}")


def _best(known: dict[str, EngineInfo], options: EngineOptions) -> ResolvedEngine:
    if options.endpoints:
        return ResolvedEngine("openai", "endpoints were given")
    on_cpu = options.device == "cpu"
    if known["vllm"].available and has_gpu() and not on_cpu:
        return ResolvedEngine("vllm", "vLLM is installed and there is a GPU")
    if known["transformers"].available:
        why = "the device is to be the CPU" if on_cpu else "no GPU was found"
        if not known["vllm"].available:
            why = "vLLM is not installed"
        return ResolvedEngine("transformers", f"transformers is installed; {why}")
    if known["vllm"].available:
        _refuse_cpu(options)
        return ResolvedEngine("vllm", "vLLM is installed and transformers is not complete")
    raise EngineUnavailable(
        "no engine is installed", hint="pip install '.[vllm]' on a GPU, else '.[transformers]'"
    )


def _refuse_cpu(options: EngineOptions) -> None:
    """A vLLM that was built for GPUs takes them, whatever the device is said to be."""
    from backend.engines.vllm import is_cpu_build

    if options.device == "cpu" and not is_cpu_build():
        raise EngineUnavailable(
            "this vLLM is built for GPUs and cannot run on the CPU",
            hint="--engine transformers, or leave --device out",
        )


def load_engine(name: str, model: str, options: EngineOptions) -> Engine:
    """Load a judge. This is where the heavy imports happen.

    Raises:
        EngineError: The model cannot be loaded.
        EngineUnavailable: The engine's package is not installed.
    """
    if name in LOADING:
        # A model may have gone since the run was queued.
        check_model(model)
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
    raise UsageError(f"unknown engine {quoted(name)}", hint=f"one of {', '.join(ENGINES)}")


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
