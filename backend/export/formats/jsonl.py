"""Flat rows in shown order, with where each comes from, as JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.domain.pairs import MediaKind, Preference
from backend.export.files import JsonLines
from backend.export.formats.base import Format
from backend.options import Options

if TYPE_CHECKING:
    from backend.export.rows import ExportRow

COLUMNS = (
    "kind",
    "prompt",
    "instruction",
    "first",
    "second",
    "answer",
    "reasoning",
    "response",
    "recorded",
    "video_fps",
    "key",
    "index",
    "order",
    "sample",
    "run",
)


def flat_row(row: ExportRow, _options: Options) -> dict[str, Any]:
    """A row as one level of texts and numbers."""
    return {name: _plain(getattr(row, name)) for name in COLUMNS}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, MediaKind | Preference) else value


JSONL = Format(
    name="jsonl",
    label="JSON lines, one row a prediction",
    purpose="Flat rows in shown order, with where each comes from, as JSON lines.",
    row=flat_row,
    media=lambda row: (row["first"], row["second"]),
    ending=".jsonl",
    layout=JsonLines,
)
