"""Which GPUs a process is shown: ``cuda:3`` is GPU 3 of ``nvidia-smi``, whatever is visible here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from backend.errors import UsageError
from backend.hints import Field, Hint

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""CUDA's list: numbers, UUIDs (or their beginnings), or MIG instances. CUDA counts from 0 in it anew."""

ORDER = "CUDA_DEVICE_ORDER"
"""How CUDA numbers GPUs: by default the fastest first, unlike ``nvidia-smi``."""

STANDS_FOR = "WINNOW_DEVICES"
"""The device set that :data:`VISIBLE` was narrowed to, so that it is not narrowed a second time."""

Uuids = Callable[[], Mapping[int, Sequence[str]] | None]
"""Asks for the UUIDs of each GPU and of its MIG instances, by number; ``None`` where none answers."""


def named_gpus(devices: str) -> list[int]:
    """The numbers in a device set such as ``cuda:0,1``, in their order; none in ``auto`` and ``cuda``."""
    numbers = re.findall(r"\d+", devices) if devices.lower().startswith("cuda") else ()
    return list(dict.fromkeys(map(int, numbers)))


def shown_gpus(devices: str, environment: Mapping[str, str], uuids: Uuids) -> dict[str, str]:
    """Variables under which a process sees the named GPUs and no others, in the order of their names.

    Where no GPU is named, what the environment shows stays as it is.

    Args:
        devices: A device set, as of the option.
        environment: The one that the process would get.
        uuids: Is asked only where the environment names GPUs by UUID.

    Raises:
        UsageError: The environment does not show one of them.
    """
    named = named_gpus(devices)
    if not named or environment.get(STANDS_FOR) == devices:
        kept = (VISIBLE, ORDER, STANDS_FOR)
        return {name: environment[name] for name in kept if name in environment}
    listed = environment.get(VISIBLE)
    shown = [str(number) for number in named]
    if listed is not None:
        entries = visible_entries(listed)
        known = _by_number(entries, uuids, devices)
        shown = []
        for number in named:
            if not known.get(number):
                raise UsageError(
                    f"{VISIBLE}={listed} does not show GPU {number}",
                    about=Field("device", devices),
                    hint=f"numbers are those of nvidia-smi; name a GPU of {VISIBLE}, or unset it",
                )
            shown += known[number]
    return {VISIBLE: ",".join(shown), ORDER: environment.get(ORDER) or "PCI_BUS_ID", STANDS_FOR: devices}


def visible_entries(listed: str) -> list[str]:
    """What CUDA takes of its list: everything before the first entry that is empty or negative."""
    entries = []
    for entry in (part.strip() for part in listed.split(",")):
        if not entry or entry.startswith("-"):
            break
        entries.append(entry)
    return entries


def entries_of(number: int, entries: Sequence[str], uuids: Sequence[str]) -> list[str]:
    """The entries of CUDA's list that are a GPU or an instance of it.

    Args:
        uuids: The GPU's, and those of its MIG instances.
    """
    return [
        entry
        for entry in entries
        if (entry.isdigit() and int(entry) == number)
        # Beginnings of a UUID are enough for CUDA; MIG-GPU-…/1/0 was an instance's name until R470.
        or (not entry.isdigit() and any(one.startswith(entry) or entry.startswith(f"MIG-{one}/") for one in uuids))
    ]


def _by_number(entries: Sequence[str], uuids: Uuids, devices: str) -> dict[int, list[str]]:
    """The entries of each GPU that they show, by its number.

    Raises:
        UsageError: They are UUIDs, and nobody can be asked whose.
    """
    if all(entry.isdigit() for entry in entries):
        return {int(entry): [entry] for entry in entries}
    known = uuids()
    if known is None:
        raise UsageError(
            f"{VISIBLE} names GPUs by UUID, and which of them that is cannot be asked here",
            about=Field("device", devices),
            hint=Hint("pip install nvidia-ml-py; or leave {device} out, and those of the list are taken"),
        )
    return {number: entries_of(number, entries, known[number]) for number in known}
