"""Videos: frames at a given rate, by PyAV, with the timing that a video judge needs.

Qwen-VL models turn frame indices and the source's frame rate into time. Both must be those of the
file, also where its frame rate varies, or the judge sees a motion that is too slow or too fast.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray
from PIL import Image

from backend.errors import MediaError
from backend.media.failing import decoding
from backend.media.sizes import MAX_DECODED_PIXELS, refuse_giants, smart_resize

FRAME_FACTOR = 2
"""Qwen-VL merges frames in twos (``temporal_patch_size``); the number of frames is a multiple."""

MAX_FRAMES = 768
"""Upper bound on sampled frames, as in ``qwen_vl_utils.FPS_MAX_FRAMES``."""

MOST_FRAMES = 1_000_000
"""Of one video: with more it is refused (nine hours at 30 a second)."""
LONGEST_SECONDS = 1800.0
"""For decoding one video."""

# What a playlist or a script of FFmpeg's names would be opened without being looked at.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,gif,h264,hevc,ivf,mpeg,mpegts,mpegvideo,ogg"
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
_WITHIN_DECODER = 16
"""Frames that a decoder keeps back for reference and for order, besides one for each of its threads."""


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
    stamps: Sequence[int], base: Fraction, duration: Fraction, fps: float, max_frames: int = MAX_FRAMES
) -> list[int]:
    """Which source frames are on screen at ``0, 1/fps, 2/fps, …``.

    Args:
        stamps: Presentation time of every source frame in units of ``base``, ascending from 0.
        base: Seconds.
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
        latest = k * step / base
        while current + 1 < len(stamps) and stamps[current + 1] <= latest:
            current += 1
        indices.append(current)
    return indices


class OpenVideo:
    """A video whose frames are known and not yet decoded.

    Attributes:
        peak: Bytes that decoding needs at most, estimated.
        kept: Bytes of the result.
    """

    def __init__(
        self, stream: BinaryIO, name: str, *, fps: float, max_pixels: int | None, factor: int, max_frames: int
    ) -> None:
        self._stream, self._name, self._fps = stream, name, fps
        self._limit, self._factor = max_pixels, factor
        stamps, base, self._duration, width, height = _frame_times(stream, name)
        if not stamps:
            raise MediaError(f"{name}: the video has no frames")
        refuse_giants(name, width, height)
        self._total = len(stamps)
        self._indices = sample_indices(stamps, base, self._duration, fps, max_frames)
        height, width = self._size(height, width) if width and height else (1, 1)
        self.kept = 3 * len(self._indices) * width * height
        self.peak = self.kept + 3 * width * height * (_WITHIN_DECODER + (os.cpu_count() or 1))

    def decode(self) -> VideoFrames:
        """The frames on screen at the wanted rate, each brought to its size as soon as it is decoded.

        Raises:
            MediaError: It breaks off before the last one.
        """
        with decoding(self._name, "video"):
            return self._decoded()

    def _decoded(self) -> VideoFrames:
        frames: NDArray[np.uint8] | None = None
        filled = 0
        # An index that stands several times is one frame, which is shown so often.
        runs = [(index, len(list(same))) for index, same in groupby(self._indices)]
        done = 0
        started = time.monotonic()
        with _container(self._stream) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.options = {"max_pixels": str(MAX_DECODED_PIXELS)}
            for number, frame in enumerate(container.decode(video=0)):
                if time.monotonic() - started > LONGEST_SECONDS:
                    raise MediaError(
                        f"{self._name}: takes more than {LONGEST_SECONDS:.0f} seconds to decode",
                        hint="cut it, or encode it anew at a smaller size",
                    )
                index, times = runs[done]
                if number < index:
                    continue
                picture = self._shown(frame)
                if frames is None:
                    frames = np.empty((len(self._indices), *picture.shape), dtype=np.uint8)
                frames[filled : filled + times] = picture
                filled, done = filled + times, done + 1
                if done == len(runs):
                    break
        if frames is None or done < len(runs):
            raise MediaError(
                f"{self._name}: only {done} of {len(runs)} needed frames could be decoded",
                hint="the file is cut off; download or encode it again",
            )
        seconds = float(self._duration)
        return VideoFrames(
            frames=frames,
            indices=tuple(self._indices),
            source_fps=self._total / seconds if seconds > 0 else self._fps,
            total_frames=self._total,
            duration=seconds,
        )

    def _shown(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        refuse_giants(self._name, frame.width, frame.height)
        picture: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
        height, width = self._size(*picture.shape[:2])
        if (height, width) == picture.shape[:2]:
            return picture
        return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))

    def _size(self, height: int, width: int) -> tuple[int, int]:
        if self._limit is None:
            return height, width
        try:
            return smart_resize(height, width, factor=self._factor, max_pixels=self._limit)
        except ValueError as error:
            raise MediaError(f"{self._name}: {error}") from error


def open_video(
    stream: BinaryIO,
    name: str,
    *,
    fps: float,
    max_pixels: int | None = None,
    factor: int = 1,
    max_frames: int = MAX_FRAMES,
) -> OpenVideo:
    """Read the times of a video's frames.

    The container is read twice: here for the time of every frame (packets only, nothing is
    decoded), and to decode, where only the chosen frames are converted to RGB.

    Args:
        max_pixels: Resize frames as :func:`~backend.media.sizes.smart_resize` says, with this upper
            bound for each; ``None`` leaves them as they are.
        factor: Of the model, where they are resized.

    Raises:
        MediaError: It is no video, or one of too many frames or pixels.
    """
    with decoding(name, "video"):
        return OpenVideo(stream, name, fps=fps, max_pixels=max_pixels, factor=factor, max_frames=max_frames)


def first_frame(stream: BinaryIO, name: str) -> Image.Image:
    """The first frame of a video, in RGB.

    Raises:
        MediaError: It is no video, or has no frames.
    """
    with decoding(name, "video"), _container(stream) as container:
        video = container.streams.video[0]
        refuse_giants(name, video.width, video.height)
        video.codec_context.options = {"max_pixels": str(MAX_DECODED_PIXELS)}
        for frame in container.decode(video=0):
            refuse_giants(name, frame.width, frame.height)
            return Image.fromarray(frame.to_ndarray(format="rgb24"))
    raise MediaError(f"{name}: the video has no frames")


def probe_video(stream: BinaryIO, name: str) -> None:
    """Check that a file opens as a container with a video stream; no frame is decoded.

    Raises:
        MediaError: It does not.
    """
    with decoding(name, "video"), _container(stream):
        pass


def _frame_times(source: BinaryIO, name: str) -> tuple[array[int], Fraction, Fraction, int, int]:
    """Presentation times of all frames from 0 and their unit in seconds, the length of the video in
    seconds, and its width and height."""
    with _container(source) as container:
        stream = container.streams.video[0]
        width, height = stream.width or 0, stream.height or 0
        base = stream.time_base or Fraction(1, 1000)
        stamps = array("q")
        last_length = 0
        newest = None
        for packet in container.demux(stream):
            if packet.pts is None or packet.size == 0:
                continue
            stamps.append(packet.pts)
            if len(stamps) > MOST_FRAMES:
                raise MediaError(f"{name}: has more than {MOST_FRAMES:,} frames", hint="cut it into pieces")
            if newest is None or packet.pts > newest:
                newest, last_length = packet.pts, packet.duration or 0
        rate = stream.average_rate or stream.guessed_rate
    if not stamps:
        return stamps, base, Fraction(0), width, height
    first = min(stamps)
    stamps = array("q", sorted(stamp - first for stamp in stamps))
    last = stamps[-1] * base
    if last_length:
        tail = last_length * base
    elif rate:
        tail = 1 / Fraction(rate)
    else:
        tail = last / max(1, len(stamps) - 1)
    return stamps, base, last + tail, width, height


@contextmanager
def _container(source: BinaryIO) -> Iterator[InputContainer]:
    # Never by a path: what stands there by now may be another file, or none that may be read.
    source.seek(0)
    with av.open(source, options=_OPTIONS) as container:
        if not container.streams.video:
            raise ValueError("no video stream")
        yield container
