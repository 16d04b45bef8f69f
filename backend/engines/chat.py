"""What engines share in speaking to a chat model: message lists, media, error lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from backend.domain.prompts import MediaPart, TextPart
from backend.engines.base import Medium, Request

Side = Literal["first", "second"]

_LONGEST_LINE = 500


def one_line(error: BaseException) -> str:
    """An exception as one line that still says something when its message is empty."""
    text = " ".join(str(error).split())
    if not text:
        return type(error).__name__
    named = text if hasattr(error, "hint") else f"{type(error).__name__}: {text}"
    return named if len(named) <= _LONGEST_LINE else f"{named[: _LONGEST_LINE - 1]}…"


def template_messages(request: Request) -> list[dict[str, object]]:
    """The conversation as chat templates take it: lists of content, media as bare places."""
    return [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": part.kind.value}
                for part in message.parts
            ],
        }
        for message in request.messages
    ]


def media_in_order(request: Request) -> Iterator[Medium]:
    """The media in the order in which the conversation shows them."""
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, MediaPart):
                yield request.media[part.side]
