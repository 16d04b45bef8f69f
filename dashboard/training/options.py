"""Every option of the training form, and which trainer reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.options import Option, grouped, options_of
from backend.training.registry import TRAINERS
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

_OF_A_PLACE = {
    "validation_data": ("validation",),
    "torch_dtype": ("bf16",),
    "gradient_accumulation_steps": ("train_batch_size", "micro_train_batch_size", "gpus_per_node", "nnodes"),
}
_OF_ANY_COMMAND = ("device", "data_format", "task_instruction")


def used_names(trainer: str, places: frozenset[str] = frozenset()) -> frozenset[str]:
    """Names of the options that a trainer reads.

    Args:
        places: What the command names, for a trainer that runs one; it reads nothing else.
    """
    kind = TRAINERS[trainer]
    if not kind.by_template:
        return frozenset(ALL) - kind.unsupported_options
    behind = {name for place in places for name in _OF_A_PLACE.get(place, (place,))}
    return frozenset(behind | set(_OF_ANY_COMMAND)) & frozenset(ALL)


def used_by(names: frozenset[str], options: tuple[Option, ...], trainer: str) -> tuple[Option, ...]:
    """Those of some options that are read, in the words that are true of a trainer."""
    words = TRAINERS[trainer].words
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
