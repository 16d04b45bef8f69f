"""Requests for engine tests, with real media of known content."""

from __future__ import annotations

import numpy as np
from PIL import Image

from backend.domain.pairs import MediaKind
from backend.domain.prompts import default_instruction, fill_instruction, judge_messages
from backend.engines.base import Medium, Request
from backend.media.video import VideoFrames


def image(colour: tuple[int, int, int], size: int = 84) -> Image.Image:
    return Image.new("RGB", (size, size), colour)


def clip(count: int = 4, *, fps: float = 2.0, level: int = 90) -> VideoFrames:
    frames = np.full((count, 84, 84, 3), level, dtype=np.uint8)
    frames[:, 20:40, 20:40] = 250
    return VideoFrames(
        frames=frames,
        indices=tuple(i * 4 for i in range(count)),
        source_fps=4 * fps,
        total_frames=4 * count,
        duration=count / fps,
    )


def request(
    number: int = 0,
    kind: MediaKind = MediaKind.IMAGE,
    *,
    seed: int | None = None,
    media: tuple[Medium, Medium] | None = None,
    caption: str | None = None,
    template: str | None = None,
) -> Request:
    instruction = fill_instruction(template or default_instruction(kind), caption or f"caption {number} {{braces}}")
    if media is None:
        video = kind is MediaKind.VIDEO
        media = (clip(), clip(level=200)) if video else (image((0, 200, 0)), image((200, 0, 0)))
    return Request(
        id=number,
        kind=kind,
        messages=judge_messages(kind, instruction),
        media={"first": media[0], "second": media[1]},
        seed=seed,
    )
