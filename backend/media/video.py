"""Videos: frames at a given rate, by PyAV, with the timing that a video judge needs.

Qwen-VL models turn frame indices and the source's frame rate into time. Both must be those of the
file, also where its frame rate varies, or the judge sees a motion that is too slow or too fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np
from numpy.typing import NDArray

from backend.errors import MediaError
from backend.foreign_text import brief

FRAME_FACTOR = 2
"""Qwen-VL merges frames in twos (``temporal_patch_size``); the number of frames is a multiple."""

MAX_FRAMES = 768
"""Upper bound on sampled frames, as in ``qwen_vl_utils.FPS_MAX_FRAMES``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrames:
    """Frames of one video and where in the source they stand.

    Attributes:
        frames: ``[T, H, W, 3]`` uint8 RGB.
        indices: Source index of each frame, in presentation order.
        source_fps: Average frame rate of the source, frames per second.
        total_frames: Frames in the source.
        duration: Length of the source in seconds.
    """

    frames: NDArray[np.uint8]
    indices: tuple[int, ...]
    source_fps: float
    total_frames: int
    duration: float

    @property
    def sampled_fps(self) -> float:
        """Frames a second that were taken, as transformers' ``VideoMetadata`` counts them."""
        return len(self.indices) / self.total_frames * self.source_fps

    def metadata(self) -> dict[str, object]:
        """The keys of transformers' ``VideoMetadata``, which vLLM takes too."""
        return {
            "fps": self.source_fps,
            "duration": self.duration,
            "total_num_frames": self.total_frames,
            "frames_indices": list(self.indices),
            "video_backend": "pyav",
        }


def sample_indices(
    times: list[Fraction], duration: Fraction, fps: float, max_frames: int = MAX_FRAMES
) -> list[int]:
    """Which source frames are on screen at ``0, 1/fps, 2/fps, …``.

    Args:
        times: Presentation time of every source frame in seconds, ascending, starting at 0.
        duration: Length of the video in seconds, the last frame included.
        fps: Frames a second to take.

    Returns:
        Ascending source indices; their number is even, at least 2 and at most ``max_frames``.
        A video too short for two samples gives its last frame twice.
    """
    wanted = int(duration * Fraction(fps)) // FRAME_FACTOR * FRAME_FACTOR
    count = max(FRAME_FACTOR, min(wanted, max_frames))
    step = duration / count if wanted > max_frames or wanted < FRAME_FACTOR else 1 / Fraction(fps)
    indices: list[int] = []
    current = 0
    for k in range(count):
        while current + 1 < len(times) and times[current + 1] <= k * step:
            current += 1
        indices.append(current)
    return indices


def read_video(
    source: Path | IO[bytes], *, fps: float, max_frames: int = MAX_FRAMES, name: str | None = None
) -> VideoFrames:
    """Decode a video and keep the frames on screen at ``fps``.

    The container is read twice: once for the time of every frame (packets only, nothing is
    decoded), once to decode, in which only the chosen frames are converted to RGB.

    Raises:
        MediaError: The file is missing, is no video, or breaks off before the last chosen frame.
    """
    label = name or str(source)
    try:
        times, duration = _frame_times(source)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{label}: cannot be read as a video ({brief(error)})") from error
    if not times:
        raise MediaError(f"{label}: the video has no frames")
    indices = sample_indices(times, duration, fps, max_frames)
    wanted = set(indices)
    kept: dict[int, NDArray[np.uint8]] = {}
    try:
        _rewind(source)
        with av.open(_openable(source)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for index, frame in enumerate(container.decode(video=0)):
                if index in wanted:
                    kept[index] = frame.to_ndarray(format="rgb24")
                    if index == indices[-1]:
                        break
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise MediaError(f"{label}: breaks off while decoding ({brief(error)})") from error
    if not wanted <= kept.keys():
        raise MediaError(
            f"{label}: only {len(kept)} of {len(wanted)} needed frames could be decoded",
            hint="the file is cut off; download or encode it again",
        )
    seconds = float(duration)
    return VideoFrames(
        frames=np.stack([kept[index] for index in indices]),
        indices=tuple(indices),
        source_fps=len(times) / seconds if seconds > 0 else fps,
        total_frames=len(times),
        duration=seconds,
    )


def probe_video(path: Path) -> None:
    """Check that a file opens as a container with a video stream; no frame is decoded.

    Raises:
        MediaError: It does not.
    """
    try:
        with av.open(_openable(path)) as container:
            found = bool(container.streams.video)
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise MediaError(f"{path}: no such file") from error
        raise MediaError(f"{path}: cannot be read as a video ({brief(error)})") from error
    if not found:
        raise MediaError(f"{path}: has no video stream")


def _frame_times(source: Path | IO[bytes]) -> tuple[list[Fraction], Fraction]:
    """Presentation times of all frames from 0, in seconds, and the length of the video."""
    _rewind(source)
    with av.open(_openable(source)) as container:
        if not container.streams.video:
            raise ValueError("no video stream")
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1, 1000)
        stamps: list[int] = []
        last_length = 0
        newest = None
        for packet in container.demux(stream):
            if packet.pts is None or packet.size == 0:
                continue
            stamps.append(packet.pts)
            if newest is None or packet.pts > newest:
                newest, last_length = packet.pts, packet.duration or 0
        rate = stream.average_rate or stream.guessed_rate
    stamps.sort()
    if not stamps:
        return [], Fraction(0)
    times = [(stamp - stamps[0]) * base for stamp in stamps]
    if last_length:
        tail = last_length * base
    elif rate:
        tail = 1 / Fraction(rate)
    else:
        tail = times[-1] / max(1, len(times) - 1)
    return times, times[-1] + tail


def _openable(source: Path | IO[bytes]) -> str | IO[bytes]:
    # A bare path could be read by FFmpeg as a protocol ("concat:…", "http:…"); file: cannot.
    return f"file:{source.absolute()}" if isinstance(source, Path) else source


def _rewind(source: Path | IO[bytes]) -> None:
    if not isinstance(source, Path):
        source.seek(0)
