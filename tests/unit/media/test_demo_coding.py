"""Rendered clips as files."""

from __future__ import annotations

import random

from backend.demo.coding import encode_mp4
from backend.demo.scenes import Scene, render_clip
from backend.domain.pairs import MediaKind

NOISY = Scene(MediaKind.VIDEO, "red", "circle", "white", "noise")


def test_the_same_frames_give_the_same_file_each_time() -> None:
    """A noisy clip: left to itself, x264 makes other files of it at most encodings."""
    frames = render_clip(NOISY, random.Random(5))
    assert len({encode_mp4(frames) for _ in range(12)}) == 1
