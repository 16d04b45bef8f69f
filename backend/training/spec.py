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
from backend.foreign_text import quoted
from backend.media.sizes import MAX_PIXELS

DataFormat = Literal["lightrft", "sharegpt", "sharegpt-frames", "parquet", "jsonl"]
"""The formats of :data:`backend.export.FORMATS`."""

_MOST = (1 << 31) - 1  # what every trainer's own numbers hold
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+(,\d+)*)?")


class LoraSpec(BaseModel):
    """Low-rank adapters instead of full fine-tuning (Hu et al. 2021, arXiv:2106.09685)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")

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
        train_batch_size: Samples an optimizer step sees, over all devices.
        micro_train_batch_size: Samples a device holds at once; the quotient is the gradient
            accumulation.
        max_epochs: Passes over the data.
        max_steps: Optimizer steps at most; ``None`` is what the epochs make. LightRFT has no such
            limit.
        max_norm: Length to which gradients are clipped. LightRFT always clips to 1.
        lr_warmup_ratio: Share of the steps in which the learning rate rises.
        prompt_max_len: Tokens of prompt and response together, above which a sample is left out;
            LightRFT takes every sample whole, whatever its length.
        max_pixels: Of one image, or of one video frame.
        fps: Frames a second of video that the judge is shown.
        validation: Share of the pairs that is held out: for the loss on them, or under LightRFT for
            the share that is answered right.
        save_steps: Optimizer steps between checkpoints; ``max_ckpt_num`` of them are kept.
        device: ``auto``, ``cpu``, ``cuda`` or a device set such as ``cuda:0,1``; jobs that share a
            device wait for one another.
        gpus_per_node: Processes on each node, one a device (``torchrun``).
        flash_attn: ``None`` is the trainer's own default: on for LightRFT, off for ours.
        task_instruction: What later runs will ask with; ``None`` is Winnow's own instruction. Only
            compared with the sets': their rows carry the instruction that they were judged with.
        command: Arguments of the ``command`` trainer, with ``{data}``, ``{model}``, ``{output}``.
        data_format: In which the ``command`` trainer gets the sets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trainer: Literal["local", "lightrft", "command"]
    model: str
    output_dir: str
    sets: tuple[SetRef, ...] = Field(min_length=1)

    actor_learning_rate: float = Field(2.5e-6, gt=0)
    max_epochs: int = Field(3, ge=1, le=_MOST)
    max_steps: int | None = Field(None, ge=1, le=_MOST)
    train_batch_size: int = Field(8, ge=1)
    micro_train_batch_size: int = Field(1, ge=1)
    lr_warmup_ratio: float = Field(0.03, ge=0, lt=1)
    l2: float = Field(0.0, ge=0)
    max_norm: float = Field(1.0, gt=0)
    prompt_max_len: int = Field(13_000, ge=16)
    max_pixels: int = Field(MAX_PIXELS, ge=28 * 28)
    fps: float = Field(2.0, gt=0)
    seed: int = Field(42, ge=-_MOST, le=_MOST)
    bf16: Literal["auto", "yes", "no"] = "auto"
    gradient_checkpointing: bool = True
    flash_attn: bool | None = None
    lora: LoraSpec | None = None
    validation: float = Field(0.0, ge=0, lt=1)
    save_steps: int = Field(1000, ge=1, le=_MOST)
    max_ckpt_num: int = Field(2, ge=1)
    device: str = "auto"

    zero_stage: Literal[0, 1, 2, 3] = 3
    gpus_per_node: int = Field(1, ge=1)
    nnodes: int = Field(1, ge=1)
    node_rank: int = Field(0, ge=0)
    master_addr: str = "localhost"
    master_port: int = Field(29_500, ge=1, le=65_535)

    task_instruction: str | None = None
    command: tuple[str, ...] = ()
    data_format: DataFormat = "lightrft"

    @field_validator("model", "output_dir")
    @classmethod
    def _given(cls, value: str) -> str:
        if not value.strip():
            raise _wrong("is empty")
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
            raise _wrong(f"there is no node {value} with --nnodes {nnodes}; they count from 0")
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
