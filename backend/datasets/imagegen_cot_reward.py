"""Training rows (``imagegen-cot-reward-5k``): a conversation and two media, as LightRFT and LLaMA-Factory
take them, and as Winnow exports them in ``lightrft`` and ``sharegpt``."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, Source, SourceRow
from backend.datasets.instructions import (
    Templates,
    caption_in,
    caption_of,
    shared_end,
    templates_beside,
    texts_of,
    turns_of,
)
from backend.datasets.json_rows import json_rows
from backend.datasets.row_keys import Keys
from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import default_instruction, fill_instruction
from backend.domain.reading import Flaw, answer_of
from backend.options import Options

__all__ = ["IMAGEGEN_COT_REWARD", "caption_of"]

_KEYS = Keys(
    "conversations",
    "images",
    "videos",
    "video_fps",
    "system",
    "id",
    verdicts=("chosen", "rejected", "preference", "preferred", "label", "winner"),
)
_LOOKED_AT = 100
"""Rows whose instructions are compared to see what stands behind every caption."""


def _read(path: Path, _root: Path, _options: Options) -> Iterator[SourceRow | BrokenRow]:
    convert = functools.partial(_convert, templates_beside(path), shared_end(_first(path)))
    yield from json_rows(path, convert, _KEYS)


def _first(path: Path) -> list[str]:
    """The instructions of a file's first rows."""
    found: list[str] = []

    def note(_row: int, item: dict[str, Any]) -> SourceRow:
        found.extend(texts_of(item)[:1])
        raise RowProblem("only looked at")

    for _ in islice(json_rows(path, note, _KEYS), _LOOKED_AT):
        pass
    return found


def _convert(templates: Templates, end: str | None, row: int, item: dict[str, Any]) -> SourceRow:
    present = [key for key in ("images", "videos") if item.get(key)]
    media = item[present[0]] if len(present) == 1 else None
    if not isinstance(media, list) or len(media) != 2 or not all(isinstance(m, str) for m in media):
        raise RowProblem("'images' or 'videos' is not two paths")
    replies = [turn.get("value") for turn in turns_of(item) if turn.get("from") == "gpt"]
    texts = texts_of(item)
    if not texts or not replies or not isinstance(replies[0], str):
        raise RowProblem("'conversations' has no text from 'human' and 'gpt'")
    if len(replies) > 1:
        raise RowProblem("'conversations' has more than one reply")
    video = present == ["videos"] or "video_fps" in item
    kind = MediaKind.VIDEO if video else MediaKind.IMAGE
    caption = caption_in(texts, templates[kind], end)
    return SourceRow(row, caption, media[0], media[1], _preference(replies[0]), kind, {})


def _preference(reply: str) -> Preference:
    answer, flaws = answer_of(reply)
    if answer is not None:
        return answer
    if Flaw.CONFLICTING_ANSWERS in flaws:
        raise RowProblem("the reply holds several answers that differ")
    if Flaw.UNREADABLE_ANSWER in flaws:
        raise RowProblem("the answer does not clearly name one winner")
    raise RowProblem("the answer names no winner")


IMAGEGEN_COT_REWARD = Source(
    name="imagegen-cot-reward-5k",
    label="Training rows",
    purpose="Conversations with two media, as LightRFT and LLaMA-Factory train on them.",
    file="training rows: LightRFT's, ShareGPT's, and Winnow's own exports in either",
    preference="the row's answer",
    media=tuple(MediaKind),
    example={
        "conversations": [
            {"from": "human", "value": fill_instruction(default_instruction(MediaKind.IMAGE), "a red cube")},
            {
                "from": "gpt",
                "value": "<think>\nThe cube is red in the first.\n</think>\n<answer>Image 1 is better</answer>",
            },
        ],
        "images": ["better.png", "worse.png"],
    },
    ending=".json",
    read=_read,
)
