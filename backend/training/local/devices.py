"""The processes of one training, and the device of each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from backend.errors import TrainerUnavailable
from backend.hints import Hint
from backend.training.spec import TrainingSpec


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process trains; ``world`` processes train together."""

    rank: int
    world: int
    device: str
    bf16: bool

    @property
    def leads(self) -> bool:
        """Whether this one writes files."""
        return self.rank == 0


def take_place(spec: TrainingSpec) -> Place:
    """Join the other processes where ``torchrun`` started several.

    Raises:
        TrainerUnavailable: The device is not there.
    """
    import torch

    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.is_available()
    if spec.device.startswith("cuda") and not cuda:
        raise TrainerUnavailable(f"there is no device {spec.device}", hint=Hint("{device:cpu}"))
    on_cpu = spec.device == "cpu" or not cuda
    # Which GPUs there are was said by CUDA_VISIBLE_DEVICES.
    device = "cpu" if on_cpu else f"cuda:{local}"
    if not on_cpu:
        torch.cuda.set_device(local)
    if world > 1:
        torch.distributed.init_process_group("gloo" if on_cpu else "nccl")
    able = not on_cpu and torch.cuda.is_bf16_supported()
    return Place(rank, world, device, spec.bf16 == "yes" or (spec.bf16 == "auto" and able))


def leave() -> None:
    """Say goodbye to the other processes."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def meet(place: Place) -> None:
    """Wait until all processes are here."""
    if place.world > 1:
        import torch

        torch.distributed.barrier()


def add_up(place: Place, tensor: Any) -> Any:
    """The sum of a tensor over all processes, in place."""
    if place.world > 1:
        import torch

        torch.distributed.all_reduce(tensor)
    return tensor
