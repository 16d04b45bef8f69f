"""Training rows (``imagegen-cot-reward-5k``): a conversation and two media, as LightRFT and LLaMA-Factory
take them, and as Winnow exports them in ``lightrft`` and ``sharegpt``."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, SourceRow
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
from backend.domain.pairs import MediaKind, OrderPolicy, Preference
from backend.domain.reading import Flaw, answer_of

__all__ = ["ImageGenCoTReward", "caption_of"]

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


class ImageGenCoTReward:
    """JSON array or JSON lines with ``conversations`` and ``images`` or ``videos``."""

    name = "imagegen-cot-reward-5k"
    kind: MediaKind | None = None
    order = OrderPolicy.SHUFFLED

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:  # noqa: ARG002
        """See :class:`~backend.datasets.base.Source`."""
        convert = functools.partial(_convert, templates_beside(path), shared_end(_first(path)))
        yield from json_rows(path, convert, _KEYS)

    def default_data_root(self, path: Path) -> Path:
        """The file's folder."""
        return path.parent


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
