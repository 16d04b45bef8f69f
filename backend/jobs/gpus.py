"""Which GPUs there are and how much of their memory is free, asked of NVIDIA's own library (NVML)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; memory in bytes."""

    index: int
    name: str
    total: int
    free: int


def list_gpus() -> list[Gpu] | None:
    """The GPUs; ``None`` when they cannot be asked (no driver, or ``nvidia-ml-py`` missing)."""
    try:
        nvml: Any = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001 - its own error class cannot be named where it is missing
        return None
    try:
        found = []
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            name = nvml.nvmlDeviceGetName(handle)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
            found.append(Gpu(index, text, int(memory.total), int(memory.free)))
        return found
    except Exception:  # noqa: BLE001 - as above
        return None
    finally:
        nvml.nvmlShutdown()
