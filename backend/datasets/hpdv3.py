"""HPDv3: image pairs whose file always puts the preferred image first (``path1``).

EditReward's files have the same keys and more: a row with ``tie_case`` is a tie although ``path1`` stands
first, and one with ``path_src`` is an edit of that image and refused.
"""

from __future__ import annotations

from typing import Any

from backend.datasets.base import Source, SourceRow, text_field
from backend.datasets.json_rows import json_rows
from backend.datasets.row_keys import Keys, flag_field
from backend.domain.pairs import MediaKind, Preference

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


HPDV3 = Source(
    name="hpdv3",
    label="HPDv3",
    purpose="Image pairs of HPDv3 and of files with its keys.",
    file="JSON array or JSON lines; `prompt, path1, path2`, `tie_case`",
    preference="`path1` is the preferred image; `tie_case` is a tie",
    media=(MediaKind.IMAGE,),
    example={"prompt": "a red cube on a table", "path1": "better.png", "path2": "worse.png"},
    ending=".json",
    read=lambda path, _root, _options: json_rows(path, _convert, _KEYS),
)
