"""A medium as a judge is shown it, at inference and in training."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from backend.domain.pairs import MediaKind
from backend.media.images import read_image, resize_frames
from backend.media.video import VideoFrames, read_video


def read_medium(
    path: Path, kind: MediaKind, *, fps: float, max_pixels: int | None, factor: int
) -> Image.Image | VideoFrames:
    """Decode an image, or the frames of a video at ``fps``, in the size that the model works with.

    Args:
        max_pixels: Of the image or of one frame; ``None`` leaves the size to the model's processor.
        factor: Of the model, see :func:`backend.engines.models.pixel_factor`.

    Raises:
        MediaError: The file is missing or cannot be decoded.
    """
    if kind is MediaKind.IMAGE:
        return read_image(path, max_pixels=max_pixels, factor=factor)
    frames = read_video(path, fps=fps)
    return resize_frames(frames, max_pixels, factor=factor) if max_pixels else frames
