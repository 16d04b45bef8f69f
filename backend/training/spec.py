"""What a training does, frozen when it starts. Names and defaults are the field's.

The defaults are those of LightRFT's GRM scripts (``--actor_learning_rate 2.5e-6``, three epochs,
ZeRO 3, bf16) where it has them, so that a spec means the same to every trainer.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from backend.domain.pairs import MediaKind
from backend.export.formats import FORMATS, OURS
from backend.foreign_text import quoted
from backend.media.sizes import MAX_PIXELS
from backend.options import option

IN_VIEW = "In view"
"""The group of the options that a form shows unfolded."""

_MOST = (1 << 31) - 1  # what every trainer's own numbers hold
_ADAPTERS = "Adapters (LoRA)"
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+(,\d+)*)?")


class LoraSpec(BaseModel):
    """Low-rank adapters instead of full fine-tuning (Hu et al. 2021, arXiv:2106.09685)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = option(16, "Rank of the adapters; implies lora", group=_ADAPTERS, ge=1, when="higher for more capacity")
    alpha: int = option(
        32, "Their updates are scaled by alpha / rank", group=_ADAPTERS, ge=1, when="commonly twice the rank"
    )
    dropout: float = option(
        0.05,
        "Share of their inputs that is dropped",
        group=_ADAPTERS,
        ge=0,
        lt=1,
        when="against learning few rows by heart",
    )
    target_modules: tuple[str, ...] = option(
        ("q_proj", "k_proj", "v_proj", "o_proj"),
        "Last part of a module's name",
        group=_ADAPTERS,
        when="where the model names its modules otherwise; one a line",
    )

    @field_validator("target_modules")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or any(not name.strip() for name in names):
            raise _wrong("adapters need the name of a module, such as q_proj")
        return names


class SetRef(BaseModel):
    """One frozen set, by id and content; ``kinds`` are the media kinds in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    name: str
    version: int
    content_hash: str
    kinds: tuple[MediaKind, ...] = ()


class TrainingSpec(BaseModel):
    """Everything that decides a training. Stored with it and never changed.

    Attributes:
        task_instruction: Only compared with the sets': their rows carry the instruction that they were
            judged with.
        command: Arguments of the ``command`` trainer, with ``{data}``, ``{model}``, ``{output}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trainer: str
    model: str
    output_dir: str
    sets: tuple[SetRef, ...] = Field(min_length=1)

    actor_learning_rate: float = option(
        2.5e-6,
        "Peak of the learning rate",
        group=IN_VIEW,
        gt=0,
        flags=["--learning-rate"],
        when="about 1e-4 with adapters; lower when the loss jumps",
    )
    max_epochs: int = option(
        3,
        "Passes over the rows",
        group=IN_VIEW,
        ge=1,
        le=_MOST,
        flags=["--num-train-epochs"],
        when="fewer when the validation loss rises again",
    )
    train_batch_size: int = option(
        8, "Rows of an optimizer step, over all devices", group=IN_VIEW, ge=1, when="more for steadier steps"
    )
    micro_train_batch_size: int = option(
        1,
        "Rows a device holds at once; the quotient is the gradient accumulation",
        group=IN_VIEW,
        ge=1,
        when="as many as fit",
    )
    lora: LoraSpec | None = None
    max_steps: int | None = option(
        None,
        "Optimizer steps at most; lightrft has no such limit",
        group="Schedule",
        ge=1,
        le=_MOST,
        when="to try something; empty is what the epochs make",
    )
    lr_warmup_ratio: float = option(
        0.03,
        "Share of the steps in which the learning rate rises",
        group="Schedule",
        ge=0,
        lt=1,
        when="longer when the first steps are unsteady",
    )
    l2: float = option(0.0, "Weight decay", group="Schedule", ge=0, when="above 0 against learning few rows by heart")
    max_norm: float = option(
        1.0,
        "Gradients are clipped to it; lightrft clips to 1",
        group="Schedule",
        gt=0,
        when="lower when the loss jumps",
    )
    seed: int = option(
        42, "Of the order of the rows", group="Schedule", ge=-_MOST, le=_MOST, when="another order of the rows"
    )
    prompt_max_len: int = option(
        13_000,
        "Tokens of a row at most; longer ones are left out, but lightrft trains on all",
        group="Rows and media",
        ge=16,
        flags=["--max-length"],
        when="longer rows are left out; lower it when memory runs out",
    )
    max_pixels: int = option(
        MAX_PIXELS,
        "Upper bound on pixels of an image or of a video's frame",
        group="Rows and media",
        ge=28 * 28,
        when="as the judge saw them; lower it when memory runs out",
    )
    fps: float = option(
        2.0,
        "Frames a second given to the judge",
        group="Rows and media",
        gt=0,
        when="as the judge saw them; fewer when memory runs out",
    )
    validation: float = option(
        0.0,
        "Share of pairs held out: for the loss on them, or under lightrft for the share that is answered right",
        group="Rows and media",
        ge=0,
        lt=1,
        when="above 0 for a validation curve",
    )
    task_instruction: str | None = option(
        None,
        "What later runs ask with, to be compared",
        group="Rows and media",
        long=True,
        when="where later runs ask with another one than Winnow's own",
    )
    data_format: str = option(
        OURS,
        "In which the command trainer gets the sets",
        group="Rows and media",
        among=FORMATS,
        when="the format that your program reads",
    )
    bf16: Literal["auto", "yes", "no"] = option(
        "auto", "Train in bfloat16", group="Precision and memory", when="no for devices without bfloat16"
    )
    gradient_checkpointing: bool = option(
        True,
        "Compute activations twice instead of keeping them",
        group="Precision and memory",
        when="off is faster and takes more memory",
    )
    flash_attn: bool | None = option(
        None,
        "FlashAttention; by default on for lightrft, off for local",
        group="Precision and memory",
        when="off where the package is not installed",
    )
    zero_stage: Literal[0, 1, 2, 3] = option(
        3, "DeepSpeed's, for lightrft", group="Precision and memory", when="lower is faster where memory allows"
    )
    save_steps: int = option(
        1000,
        "Optimizer steps between checkpoints",
        group="Checkpoints",
        ge=1,
        le=_MOST,
        when="fewer lose less when a machine dies",
    )
    max_ckpt_num: int = option(
        2,
        "Checkpoints that are kept",
        group="Checkpoints",
        ge=1,
        when="fewer where disk is short; each takes as much as the model",
    )
    device: str = option(
        "auto",
        "auto, cpu, or cuda devices such as cuda:0,1; jobs that share one wait for one another",
        group="Devices",
        when="cpu, or cuda:0,1 to leave other GPUs alone",
    )
    gpus_per_node: int = option(
        1, "Processes on each machine, one a GPU", group="Devices", ge=1, when="as many as the machine has"
    )
    nnodes: int = option(
        1, "Machines that train together", group="Devices", ge=1, when="more when one machine takes too long"
    )
    node_rank: int = option(
        0, "Which of the machines this one is, from 0", group="Devices", ge=0, when="another number on each machine"
    )
    master_addr: str = option(
        "localhost",
        "Address of the first machine",
        group="Devices",
        when="with several machines: an address that all of them reach",
    )
    master_port: int = option(
        29_500, "Port on the first machine", group="Devices", ge=1, le=65_535, when="another one where it is taken"
    )

    command: tuple[str, ...] = ()

    @field_validator("model", "output_dir")
    @classmethod
    def _given(cls, value: str) -> str:
        if not value.strip():
            raise _wrong("is empty")
        return value

    @field_validator("data_format")
    @classmethod
    def _format(cls, value: str) -> str:
        if value not in FORMATS:
            raise _wrong(f"{quoted(value)} is none of {', '.join(FORMATS)}")
        return value

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if not _DEVICE.fullmatch(value):
            raise _wrong(f"{quoted(value)} is none of auto, cpu, cuda and cuda:0,1")
        return value

    @field_validator("node_rank")
    @classmethod
    def _rank(cls, value: int, info: ValidationInfo) -> int:
        nnodes = info.data.get("nnodes")
        if nnodes is not None and value >= nnodes:
            raise _wrong(f"there is no node {value} of {nnodes}; they count from 0")
        return value

    @property
    def visible_devices(self) -> dict[str, str]:
        """The variable that shows a trainer's processes the GPUs that were named, and no others."""
        named = [part for part in self.device.replace("cuda:", "").split(",") if part.isdigit()]
        return {"CUDA_VISIBLE_DEVICES": ",".join(named)} if named else {}

    @property
    def processes(self) -> int:
        """Training processes over all nodes."""
        return self.gpus_per_node * self.nnodes

    @property
    def gradient_accumulation_steps(self) -> int:
        """Micro batches an optimizer step adds up, on each device."""
        return max(1, self.train_batch_size // (self.micro_train_batch_size * self.processes))


def _wrong(message: str) -> PydanticCustomError:
    # Unlike a ValueError's, its message is passed on as it is. Braces would be taken for places.
    return PydanticCustomError("training", "{said}", {"said": message})


PRESETS: dict[str, dict[str, object]] = {
    "full": {},
    "lora": {"lora": LoraSpec(), "actor_learning_rate": 1e-4, "zero_stage": 2},
    "two-gpus": {"gpus_per_node": 2},
    "smoke": {"max_steps": 5, "train_batch_size": 2, "save_steps": 5, "max_epochs": 1},
}
"""Starting points by name: what differs from the defaults."""
