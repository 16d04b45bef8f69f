"""A video of the frames that a judge was shown: whoever samples it at that rate takes exactly these."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest

from backend.errors import MediaError
from backend.media.frames_file import write_frames
from backend.media.reading import read_video

EXACT = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 8.0, 12.0, 24.0)
OTHERS = (0.1, 0.3, 0.7, 1.1, 2.2, 14.985, 23.976, 29.97)


@pytest.mark.parametrize("fps", EXACT)
@pytest.mark.parametrize("count", [2, 4, 10, 26])
def test_what_is_read_again_at_that_rate_are_the_same_frames_pixel_by_pixel(
    tmp_path: Path, fps: float, count: int
) -> None:
    frames = np.random.default_rng(count).integers(0, 256, (count, 44, 62, 3), dtype=np.uint8)
    path = tmp_path / "it's 100% odd: é.mp4"
    with path.open("wb") as file:
        write_frames(file, frames, fps=fps)
    again = read_video(path, fps=fps)
    assert np.array_equal(again.frames, frames)
    assert again.source_fps == fps


@pytest.mark.parametrize("fps", EXACT + OTHERS)
@pytest.mark.parametrize("count", [2, 4, 10, 26])
def test_other_programs_rules_take_all_of_its_frames(tmp_path: Path, fps: float, count: int) -> None:
    """LLaMA-Factory: ``floor(duration * fps)`` frames; qwen-vl-utils: ``frames / rate * fps``, at least
    two, an even number. Both at equal steps from the first to the last."""
    with (tmp_path / "v.mp4").open("wb") as file:
        write_frames(file, np.zeros((count, 28, 28, 3), np.uint8), fps=fps)
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.frames == count and stream.duration and stream.time_base
        taken = math.floor(float(stream.duration * stream.time_base) * fps)
        assert min(stream.frames, max(1, taken)) == count
        rate = float(stream.average_rate or 0)
        assert math.floor(count / rate * fps / 2 + 1e-9) * 2 == count


def test_what_cannot_be_encoded_is_said(tmp_path: Path) -> None:
    with (tmp_path / "v.mp4").open("wb") as file, pytest.raises(MediaError, match="cannot be enc"):
        write_frames(file, np.zeros((2, 0, 0, 3), np.uint8), fps=2)
    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("wb", buffering=0) as file:
        write_frames(file, np.zeros((2, 280, 280, 3), np.uint8), fps=2)
