"""A medium as a judge is shown it, at inference and in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from backend.domain.pairs import MediaKind
from backend.media.budget import DECODING
from backend.media.images import OpenImage, judges_fit, opened, opened_image
from backend.media.video import MAX_FRAMES, OpenVideo, VideoFrames, open_video


@contextmanager
def opened_medium(
    stream: BinaryIO, name: str, kind: MediaKind, *, fps: float, max_pixels: int | None, factor: int
) -> Iterator[OpenImage | OpenVideo]:
    """A medium that says what it takes before it is decoded; for the arguments see :func:`read_medium`.

    Raises:
        MediaError: It is broken.
    """
    if kind is MediaKind.IMAGE:
        with opened_image(stream, name, judges_fit(name, max_pixels, factor)) as image:
            yield image
    else:
        yield open_video(stream, name, fps=fps, max_pixels=max_pixels, factor=factor)


def read_medium(
    source: Path | BinaryIO, kind: MediaKind, *, fps: float, max_pixels: int | None, factor: int
) -> Image.Image | VideoFrames:
    """Decode an image, or the frames of a video at ``fps``, in the size that the model works with.

    Waits for its share of the memory; the result itself is the caller's.

    Args:
        source: A file, or a stream of its bytes.
        max_pixels: Of the image or of one frame; ``None`` leaves the size to the model's processor.
        factor: Of the model, see :func:`backend.engines.models.pixel_factor`.

    Raises:
        MediaError: The file is missing or cannot be decoded.
    """
    with (
        opened(source, kind.value) as (stream, name),
        opened_medium(stream, name, kind, fps=fps, max_pixels=max_pixels, factor=factor) as medium,
        DECODING.hold(medium.peak),
    ):
        return medium.decode()


def read_video(source: Path | BinaryIO, *, fps: float, max_frames: int = MAX_FRAMES) -> VideoFrames:
    """Decode a video and keep the frames on screen at ``fps``, as large as they are.

    Raises:
        MediaError: The file is missing, is no video, or breaks off before the last chosen frame.
    """
    with opened(source, "video") as (stream, name):
        video = open_video(stream, name, fps=fps, max_frames=max_frames)
        with DECODING.hold(video.peak):
            return video.decode()
