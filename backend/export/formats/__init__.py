"""Which formats a set can be exported in: one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.extensions import Registry

if TYPE_CHECKING:
    from backend.export.formats.base import Format

FORMATS: Registry[Format] = Registry(
    "format",
    "winnow.formats",
    {
        "lightrft": "backend.export.formats.lightrft:LIGHTRFT",
        "sharegpt": "backend.export.formats.sharegpt:SHAREGPT",
        "sharegpt-frames": "backend.export.formats.sharegpt_frames:SHAREGPT_FRAMES",
        "parquet": "backend.export.formats.parquet:PARQUET",
        "jsonl": "backend.export.formats.jsonl:JSONL",
    },
)

OURS = "lightrft"
"""What Winnow's own trainers read, and ``prepare`` and the demo write."""
