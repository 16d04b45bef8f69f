"""HPDv3: image pairs whose file always puts the preferred image first (``path1``).

EditReward's files have the same keys and more: a row with ``tie_case`` is a tie although ``path1`` stands
first, and one with ``path_src`` is an edit of that image and refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, SourceRow, text_field
from backend.datasets.json_rows import json_rows
from backend.datasets.row_keys import Keys, flag_field
from backend.domain.pairs import MediaKind, OrderPolicy, Preference

_EXTRA = ("model1", "model2", "confidence", "choice_dist")
_KEYS = Keys(
    "prompt",
    "path1",
    "path2",
    "tie_case",
    *_EXTRA,
    verdicts=(
        "preference",
        "preferred",
        "human_preference",
        "label",
        "winner",
        "chosen",
        "better",
        "better_response",
        "best",
        "choice",
        "vote",
        "vote_type",
        "predicted_answer",
    ),
)


class HPDv3:
    """JSON array or JSON lines; paths are relative to the file's folder."""

    name = "hpdv3"
    kind: MediaKind | None = MediaKind.IMAGE
    order = OrderPolicy.SHUFFLED

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:  # noqa: ARG002
        """See :class:`~backend.datasets.base.Source`."""
        return json_rows(path, _convert, _KEYS)

    def default_data_root(self, path: Path) -> Path:
        """The file's folder."""
        return path.parent


def _convert(row: int, item: dict[str, Any]) -> SourceRow:
    return SourceRow(
        row,
        text_field(item, "prompt"),
        text_field(item, "path1"),
        text_field(item, "path2"),
        Preference.TIE if flag_field(item, "tie_case") else Preference.FIRST,
        MediaKind.IMAGE,
        {key: item[key] for key in _EXTRA if item.get(key) is not None},
    )
