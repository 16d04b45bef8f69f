"""Which GPUs there are and how much of their memory is free, asked of NVIDIA's own library (NVML)."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.devices import VISIBLE, entries_of, named_gpus, visible_entries


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; memory in bytes.

    Attributes:
        index: As ``nvidia-smi`` counts.
        uuids: Its own, and those of its MIG instances.
    """

    index: int
    name: str
    total: int
    free: int
    uuids: tuple[str, ...] = ()


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
            text = _text(nvml.nvmlDeviceGetName(handle))
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            uuids = tuple(_uuids(nvml, handle))
            found.append(Gpu(index, text, int(memory.total), int(memory.free), uuids))
        return found
    except Exception:  # noqa: BLE001 - as above
        return None
    finally:
        nvml.nvmlShutdown()


def gpu_uuids() -> Mapping[int, Sequence[str]] | None:
    """See :data:`backend.domain.devices.Uuids`."""
    gpus = list_gpus()
    return None if gpus is None else {gpu.index: gpu.uuids for gpu in gpus}


def gpus_for(devices: str, gpus: Sequence[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    """Those of the GPUs that a job on a device set works on: the named ones, else all that are shown."""
    named, listed = named_gpus(devices), environment.get(VISIBLE)
    if named:
        return [gpu for gpu in gpus if gpu.index in named]
    if listed is None:
        return list(gpus)
    entries = visible_entries(listed)
    return [gpu for gpu in gpus if entries_of(gpu.index, entries, gpu.uuids)]


def _uuids(nvml: Any, handle: Any) -> Iterator[str]:
    # Most GPUs have no instances, and older libraries cannot be asked.
    with contextlib.suppress(Exception):
        yield _text(nvml.nvmlDeviceGetUUID(handle))
        for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            with contextlib.suppress(Exception):  # numbers may have gaps
                instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
                yield _text(nvml.nvmlDeviceGetUUID(instance))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
