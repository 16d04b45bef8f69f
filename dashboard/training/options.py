"""Every option of the training form, and which trainer reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.options import Option, grouped, options_of
from backend.training.spec import IN_VIEW as UNFOLDED
from backend.training.spec import LoraSpec, TrainingSpec

_LORA = Option(
    "lora",
    "bool",
    False,
    "Low-rank adapters instead of all weights",
    "on trains small adapters (LoRA) and needs far less memory",
    "Adapters (LoRA)",
)
_SPEC = options_of(TrainingSpec)
_ADAPTERS = options_of(LoraSpec, "lora_")

IN_VIEW = tuple(one for one in _SPEC.values() if one.group == UNFOLDED)
ALL = {one.name: one for one in (*IN_VIEW, _LORA, *_ADAPTERS.values(), *_SPEC.values())}
GROUPS = grouped(one for one in ALL.values() if one.group != UNFOLDED)

_NOT_OF: dict[str, tuple[str, ...]] = {
    "local": ("zero_stage", "data_format"),
    "lightrft": ("max_steps", "max_norm", "data_format"),
}


_WORDS_FOR: dict[str, dict[str, str]] = {
    "lightrft": {
        "prompt_max_len": "ignored: it trains on every row whole, whatever its length",
        "validation": "share of pairs held out; it counts how many of them it answers right, in "
        "TensorBoard as eval/accuracy, and draws no curve of their loss",
    }
}
"""Where a trainer does something else with an option than the others."""

_OF_A_PLACE = {
    "validation_data": ("validation",),
    "torch_dtype": ("bf16",),
    "gradient_accumulation_steps": ("train_batch_size", "micro_train_batch_size", "gpus_per_node", "nnodes"),
}
_OF_ANY_COMMAND = ("device", "data_format", "task_instruction")


def used_names(trainer: str, places: frozenset[str] = frozenset()) -> frozenset[str]:
    """Names of the options that a trainer reads.

    Args:
        places: What the command of the ``command`` trainer names; it reads nothing else.
    """
    if trainer != "command":
        return frozenset(ALL) - set(_NOT_OF[trainer])
    behind = {name for place in places for name in _OF_A_PLACE.get(place, (place,))}
    return frozenset(behind | set(_OF_ANY_COMMAND)) & frozenset(ALL)


def used_by(names: frozenset[str], options: tuple[Option, ...], trainer: str = "") -> tuple[Option, ...]:
    """Those of some options that are read, in the words that are true of a trainer."""
    words = _WORDS_FOR.get(trainer, {})
    return tuple(
        replace(option, when=words.get(option.name, option.when)) for option in options if option.name in names
    )


def to_spec(values: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Fields of a spec from the form's values; what is not read keeps its default."""
    read = {name: value for name, value in values.items() if name in names}
    adapters = {name.removeprefix("lora_"): read.pop(name) for name in tuple(read) if name.startswith("lora_")}
    if read.pop("lora", False):
        read["lora"] = LoraSpec.model_validate(adapters)
    return read


def from_spec(spec: TrainingSpec) -> dict[str, Any]:
    """The form's values of a spec."""
    adapters = spec.lora or LoraSpec()
    return {
        **{name: getattr(spec, name) for name in _SPEC},
        **{name: getattr(adapters, name.removeprefix("lora_")) for name in _ADAPTERS},
        "lora": spec.lora is not None,
    }
