"""Every option of the training form: its default, when to change it, and whose it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from backend.training.spec import DataFormat, LoraSpec, TrainingSpec
from dashboard.runs.options import Kind, Option


def _spec(
    name: str,
    kind: Kind,
    when: str,
    lowest: float | None = None,
    highest: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] = (),
) -> Option:
    default = TrainingSpec.model_fields[name].default
    return Option(name, kind, default, when, lowest, highest, step, choices)


def _adapter(
    name: str, kind: Kind, when: str, lowest: float | None = None, highest: float | None = None
) -> Option:
    default = LoraSpec.model_fields[name].default
    return Option(f"lora_{name}", kind, default, when, lowest, highest)


IN_VIEW = (
    _spec("actor_learning_rate", "float", "about 1e-4 with adapters; lower when the loss jumps", 0),
    _spec("max_epochs", "int", "fewer when the validation loss rises again", 1, 1000),
    _spec("train_batch_size", "int", "more for steadier steps; rows of a step, over all devices", 1),
    _spec("micro_train_batch_size", "int", "rows a device holds at once; as many as fit", 1),
)  # fmt: skip

GROUPS: dict[str, tuple[Option, ...]] = {
    "Adapters (LoRA)": (
        Option("lora", "bool", False, "on trains small adapters (LoRA) and needs far less memory"),
        _adapter("rank", "int", "higher for more capacity", 1, 1024),
        _adapter("alpha", "int", "commonly twice the rank", 1, 4096),
        _adapter("dropout", "float", "against learning few rows by heart", 0, 0.99),
        _adapter("target_modules", "lines", "names of the modules that get adapters, one a line"),
    ),
    "Schedule": (
        _spec("max_steps", "int", "to try something; empty is what the epochs make", 1),
        _spec("lr_warmup_ratio", "float", "longer when the first steps are unsteady", 0, 0.99),
        _spec("l2", "float", "weight decay", 0),
        _spec("max_norm", "float", "gradients are clipped to this length", 0.01),
        _spec("seed", "int", "another order of the rows", 0, 2**31 - 1),
    ),
    "Rows and media": (
        _spec("prompt_max_len", "int", "longer rows are left out; lower it when memory runs out", 16),
        _spec("max_pixels", "int", "as the judge saw them; lower it when memory runs out", 784),
        _spec("fps", "float", "frames a second, as the judge saw them", 0.1, 60),
        _spec("validation", "float", "share of pairs held out, for a validation curve", 0, 0.5),
        _spec("task_instruction", "long", "what later runs will ask with, where it is not Winnow's own"),
        _spec("data_format", "choice", "the format that your program reads",
              choices=get_args(DataFormat)),
    ),
    "Precision and memory": (
        _spec("bf16", "choice", "no for devices without bfloat16", choices=("auto", "yes", "no")),
        _spec("gradient_checkpointing", "bool", "off is faster and takes more memory"),
        Option("flash_attn", "choice", "usual", "off where the package is not installed",
               choices=("usual", "on", "off")),
        Option("zero_stage", "choice", "3", "lower is faster where memory allows",
               choices=("0", "1", "2", "3")),
    ),
    "Checkpoints": (
        _spec("save_steps", "int", "steps between checkpoints; fewer lose less when a machine dies", 1),
        _spec("max_ckpt_num", "int", "how many are kept; each takes disk", 1, 1000),
    ),
    "Devices": (
        _spec("device", "text", "cpu, or cuda:0,1 to leave other GPUs alone"),
        _spec("gpus_per_node", "int", "processes on each machine, one a GPU", 1, 64),
        _spec("nnodes", "int", "machines that train together", 1, 1024),
        _spec("node_rank", "int", "which of them this one is; the first is 0", 0, 1023),
        _spec("master_addr", "text", "address of the first machine"),
        _spec("master_port", "int", "another one where it is taken", 1, 65_535),
    ),
}  # fmt: skip

ALL = {option.name: option for group in (IN_VIEW, *GROUPS.values()) for option in group}

_NOT_OF: dict[str, tuple[str, ...]] = {
    "local": ("zero_stage", "data_format"),
    "lightrft": ("max_steps", "max_norm", "data_format"),
}  # fmt: skip


_WORDS_FOR: dict[str, dict[str, str]] = {
    "lightrft": {
        "prompt_max_len": "ignored: it trains on every row whole, whatever its length",
        "validation": "share of pairs held out; it counts how many of them it answers right, in "
                      "TensorBoard as eval/accuracy, and draws no curve of their loss",
    },
}  # fmt: skip
"""Where a trainer does something else with an option than the others."""

_OF_A_PLACE = {
    "validation_data": ("validation",),
    "torch_dtype": ("bf16",),
    "gradient_accumulation_steps": (
        "train_batch_size", "micro_train_batch_size", "gpus_per_node", "nnodes",
    ),
}  # fmt: skip
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


def used_by(
    names: frozenset[str], options: tuple[Option, ...], trainer: str = ""
) -> tuple[Option, ...]:
    """Those of some options that are read, in the words that are true of a trainer."""
    words = _WORDS_FOR.get(trainer, {})
    return tuple(
        replace(option, when=words.get(option.name, option.when))
        for option in options
        if option.name in names
    )


def to_spec(values: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Fields of a spec from the form's values; what is not read keeps its default."""
    read = {name: value for name, value in values.items() if name in names}
    adapters = {
        name.removeprefix("lora_"): read.pop(name)
        for name in tuple(read)
        if name.startswith("lora_")
    }
    if read.pop("lora", False):
        read["lora"] = LoraSpec.model_validate(adapters)
    if "flash_attn" in read:
        read["flash_attn"] = {"on": True, "off": False}.get(read["flash_attn"])
    if "zero_stage" in read:
        read["zero_stage"] = int(read["zero_stage"])
    return read


def from_spec(spec: TrainingSpec) -> dict[str, Any]:
    """The form's values of a spec."""
    found = {name: getattr(spec, name) for name in ALL if name in TrainingSpec.model_fields}
    found |= {
        f"lora_{name}": getattr(spec.lora or LoraSpec(), name) for name in LoraSpec.model_fields
    }
    found["lora"] = spec.lora is not None
    found["flash_attn"] = {True: "on", False: "off", None: "usual"}[spec.flash_attn]
    found["zero_stage"] = str(spec.zero_stage)
    return found
