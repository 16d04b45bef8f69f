"""Device sets: which jobs may run at the same time.

A set is written ``cpu``, ``cuda:0``, ``cuda:0,1`` or ``cuda:0,cuda:1``. ``cuda`` alone means all of
them. The empty set needs no device, and conflicts with nothing.
"""

from __future__ import annotations


def parse_devices(text: str) -> frozenset[tuple[str, str | None]]:
    """A device set as (kind, index) with index ``None`` for all of a kind."""
    devices: set[tuple[str, str | None]] = set()
    kind = ""
    for part in (part.strip().lower() for part in text.split(",")):
        if not part:
            continue
        if part.isdigit() and kind:
            devices.add((kind, part))
            continue
        kind, _, index = part.partition(":")
        devices.add((kind, index or None))
    return frozenset(devices)


def overlap(one: str, other: str) -> bool:
    """Whether two device sets share a device."""
    return any(
        kind == kind2 and (index is None or index2 is None or index == index2)
        for kind, index in parse_devices(one)
        for kind2, index2 in parse_devices(other)
    )
