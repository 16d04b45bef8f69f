"""LightRFT's own training format (``imagegen-cot-reward-5k``): a conversation and two media."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, SourceRow
from backend.datasets.json_rows import json_rows
from backend.domain.pairs import MediaKind, OrderPolicy, Preference
from backend.domain.reading import Flaw, answer_of

_LABEL = r"(?:text\s+|image\s+|video\s+|original\s+|input\s+)?(?:caption|prompt)\b[\s*_]*[:：]"
_CAPTIONS = (
    re.compile(
        rf"^[\s*_#>-]*{_LABEL}(.+?)(?:\n\s*\n|\Z)", re.IGNORECASE | re.MULTILINE | re.DOTALL
    ),
    re.compile(rf"\b{_LABEL}(.+?)(?:\n\s*\n|\Z)", re.IGNORECASE | re.DOTALL),
)


class ImageGenCoTReward:
    """JSON array or JSON lines with ``conversations`` and ``images``."""

    name = "imagegen-cot-reward-5k"
    kind: MediaKind | None = MediaKind.IMAGE
    order = OrderPolicy.SHUFFLED

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:  # noqa: ARG002
        """See :class:`~backend.datasets.base.Source`."""
        return json_rows(path, _convert)

    def default_data_root(self, path: Path) -> Path:
        """The file's folder."""
        return path.parent


def caption_of(instruction: str) -> str:
    """The caption inside an instruction: what follows ``Caption:`` or ``Prompt:`` up to an empty
    line; the whole text when no such label is there."""
    for pattern in _CAPTIONS:
        if match := pattern.search(instruction):
            caption = match[1].strip().strip("*").strip()
            if len(caption) > 1 and (caption[0], caption[-1]) in {("[", "]"), ('"', '"')}:
                caption = caption[1:-1].strip()
            if caption:
                return caption
    return instruction.strip()


def _convert(row: int, item: dict[str, Any]) -> SourceRow:
    media, turns = item.get("images"), item.get("conversations")
    if not isinstance(media, list) or len(media) != 2 or not all(isinstance(m, str) for m in media):
        raise RowProblem("'images' is not two paths")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RowProblem("'conversations' is not a list of messages")
    human, reply = (
        next((turn.get("value") for turn in turns if turn.get("from") == who), None)
        for who in ("human", "gpt")
    )
    if not isinstance(human, str) or not isinstance(reply, str):
        raise RowProblem("'conversations' has no text from 'human' and 'gpt'")
    kind = MediaKind.VIDEO if "video_fps" in item else MediaKind.IMAGE
    caption = caption_of(human.replace("<image>", "").replace("<video>", ""))
    return SourceRow(row, caption, media[0], media[1], _preference(reply), kind, {})


def _preference(reply: str) -> Preference:
    answer, flaws = answer_of(reply)
    if answer is not None:
        return answer
    if Flaw.CONFLICTING_ANSWERS in flaws:
        raise RowProblem("the reply holds several answers that differ")
    if Flaw.UNREADABLE_ANSWER in flaws:
        raise RowProblem("the answer does not clearly name one winner")
    raise RowProblem("the answer names no winner")
