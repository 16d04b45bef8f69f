"""Every option of the launch form: its name, its default, and when to change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from backend.engines.base import EngineOptions

Kind = Literal["int", "float", "bool", "text", "choice", "lines", "long"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option. ``lowest`` to ``highest`` is what the backend takes; ``None`` leaves it open."""

    name: str
    kind: Kind
    default: Any
    when: str
    lowest: float | None = None
    highest: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()


def _engine(
    name: str,
    kind: Kind,
    when: str,
    lowest: float | None = None,
    highest: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] = (),
) -> Option:
    default = EngineOptions.model_fields[name].default
    return Option(name, kind, default, when, lowest, highest, step, choices)


GROUPS: dict[str, tuple[Option, ...]] = {
    "How much": (
        Option("limit", "int", None, "to try something on the first pairs only", 1),
        Option("samples", "int", 1, "several judgments of each pair, to filter by agreement", 1, 64),
        Option("seed", "int", 0, "another shuffle and other samples", 0, 2**31 - 1),
    ),
    "Generation": (
        _engine("max_new_tokens", "int", "raise it when answers are cut off; lower it for speed", 1),
        _engine("temperature", "float", "0 is greedy; above 0 when there are several samples", 0, 2, 0.1),
        _engine("top_p", "float", "lower it to keep unlikely words out of the samples", 0.01, 1, 0.05),
        _engine("repetition_penalty", "float", "slightly above 1 when the judge repeats itself", 0.01, 2, 0.05),
    ),
    "Media": (
        _engine("video_fps", "float", "more frames for fast motion; each one costs tokens", 0.1, 60, 0.5),
        _engine("max_pixels", "int", "lower it when memory runs out; a training has to show as many", 784),
    ),
    "Prompt": (
        Option("use_cot", "bool", True, "off for a judge that was trained to answer at once"),
        Option("instruction", "long", None, "for a judge trained on other words; {prompt} is the caption's place"),
    ),
    "Throughput and memory": (
        _engine("batch_size", "int", "raise it until the device is busy; lower it when memory runs out", 1, 4096),
        _engine("max_model_len", "int", "a smaller context leaves more memory for the batch", 1),
        _engine("gpu_memory_utilization", "float", "lower it when something else needs the GPU", 0.05, 1, 0.05),
        _engine("enforce_eager", "bool", "starts faster and runs slower; for short runs"),
    ),
    "Devices": (
        _engine("device", "text", "`cpu`, or `cuda:0,1` to leave other GPUs alone"),
        _engine("tensor_parallel_size", "int", "when one GPU cannot hold the model", 1, 64),
        _engine("dtype", "choice", "float32 on CPUs that emulate bfloat16",
                choices=("auto", "float32", "bfloat16", "float16")),
        _engine("trust_remote_code", "bool", "only for a model whose code you have read: it runs here"),
    ),
    "Servers": (
        _engine("endpoints", "lines", "one base URL a line, for engine openai: `http://host:8000/v1`"),
        _engine("api_key_env", "text", "name of the variable that holds the key, not the key"),
        _engine("request_timeout_s", "float", "raise it for a server that takes long over one answer", 1, 86_400, 60),
    ),
    "Replay": (
        _engine("scripted_file", "text", "for engine scripted: the file of texts"),
        _engine("scripted_latency", "float", "seconds a text takes, to see a run go", 0, 600, 0.1),
    ),
}  # fmt: skip

ALL = {option.name: option for group in GROUPS.values() for option in group}
ENGINE_NAMES = tuple(EngineOptions.model_fields)


@dataclass(frozen=True, slots=True)
class Preset:
    """A purpose, and the options that serve it."""

    name: str
    about: str
    values: dict[str, Any]


PRESETS = (
    Preset("Quick look", "the first 200 pairs", {"limit": 200}),
    Preset("Both orders", "each pair in both orders; keeps what does not flip",
           {"order": "both", "policy": "order-consistent"}),
    Preset("Consensus of 4", "four samples at 0.7; keeps what three agree on",
           {"samples": 4, "temperature": 0.7, "policy": "consensus"}),
    Preset("Defaults", "everything back to its default", {}),
)  # fmt: skip
