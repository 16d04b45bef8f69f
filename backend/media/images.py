"""Images: any file as 8-bit RGB by Pillow, and the sizes that the Qwen-VL family works with."""

from __future__ import annotations

import dataclasses
import functools
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.foreign_text import brief
from backend.media.paths import media_kind
from backend.media.video import VideoFrames, probe_video

__all__ = [
    "MAX_DECODED_PIXELS",
    "media_kind",
    "probe_media",
    "read_image",
    "resize_frames",
    "smart_resize",
]

MAX_DECODED_PIXELS = 100_000_000
"""An image with more pixels is refused before it is decoded (300 MB as RGB)."""

QWEN_FACTOR = 28
"""Sides are multiples of it in Qwen2-VL and Qwen2.5-VL; see ``backend.engines.models``."""

QWEN_MAX_PIXELS = 16384 * 28 * 28
"""``qwen_vl_utils.MAX_PIXELS``."""

MAX_PIXELS = 360 * QWEN_FACTOR * QWEN_FACTOR
"""At which judges are asked and trained unless told otherwise; LightRFT's default for training."""

_MAX_ASPECT = 200

# What Pillow raises on bytes that are no image, or not the whole of one.
_BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError, TypeError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


def read_image(
    path: Path, *, max_pixels: int | None = None, factor: int = QWEN_FACTOR
) -> Image.Image:
    """Decode an image as a person would see it, in RGB.

    The EXIF orientation is applied, transparency is laid on white, 16-bit greyscale is scaled to
    8 bits, and of an animation the first frame is taken.

    Args:
        max_pixels: Resize as :func:`smart_resize` says, with this upper bound.
        factor: Of the model that will look: 28, or 32 for Qwen3-VL.

    Raises:
        MediaError: The file is missing, no image, cut off, or too large to be decoded.
    """
    try:
        with _open(path) as opened:
            opened.load()
            image = _to_rgb(ImageOps.exif_transpose(opened))
    except _BROKEN as error:
        raise _media_error(path, error) from error
    if max_pixels is None:
        return image
    try:
        height, width = smart_resize(
            image.height, image.width, factor=factor, max_pixels=max_pixels
        )
    except ValueError as error:
        raise MediaError(f"{path}: {error}") from error
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


def smart_resize(
    height: int,
    width: int,
    *,
    factor: int = QWEN_FACTOR,
    min_pixels: int | None = None,
    max_pixels: int = QWEN_MAX_PIXELS,
) -> tuple[int, int]:
    """The size at which a Qwen-VL model looks at an image.

    Both sides become multiples of ``factor``, the area comes to lie within ``min_pixels`` and
    ``max_pixels``, and the aspect ratio changes as little as that allows. Defined by
    ``smart_resize`` in ``qwen_vl_utils/vision_process.py`` (github.com/QwenLM/Qwen2.5-VL), and in
    transformers' ``models/qwen2_vl/image_processing_qwen2_vl.py``.

    Args:
        factor: Pixels of one token's side; 28, or 32 for Qwen3-VL.
        min_pixels: By default that of four tokens.

    Returns:
        Height and width in pixels.

    Raises:
        ValueError: One side is more than 200 times the other.
    """
    if max(height, width) > _MAX_ASPECT * min(height, width):
        raise ValueError(f"aspect ratio of {width}x{height} is above {_MAX_ASPECT}")
    if min_pixels is None:
        min_pixels = 4 * factor * factor
    # Python's round (half to even) is part of the definition.
    new_height = max(factor, round(height / factor) * factor)
    new_width = max(factor, round(width / factor) * factor)
    if new_height * new_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        new_height = max(factor, math.floor(height / shrink / factor) * factor)
        new_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif new_height * new_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        new_height = math.ceil(height * grow / factor) * factor
        new_width = math.ceil(width * grow / factor) * factor
    return new_height, new_width


def resize_frames(
    frames: VideoFrames, max_pixels: int, *, factor: int = QWEN_FACTOR
) -> VideoFrames:
    """The same frames at the size that :func:`smart_resize` gives under ``max_pixels`` a frame.

    Raises:
        MediaError: One side of the video is more than 200 times the other.
    """
    _, old_height, old_width, _ = frames.frames.shape
    try:
        height, width = smart_resize(old_height, old_width, factor=factor, max_pixels=max_pixels)
    except ValueError as error:
        raise MediaError(f"a video cannot be resized: {error}") from error
    if (height, width) == (old_height, old_width):
        return frames
    resized = np.empty((len(frames.frames), height, width, 3), dtype=np.uint8)
    for position, frame in enumerate(frames.frames):
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
        resized[position] = np.asarray(picture)
    return dataclasses.replace(frames, frames=resized)


def probe_media(path: Path, kind: MediaKind) -> None:
    """A cheap check that a file is what it should be: its header is read, nothing is decoded.

    Raises:
        MediaError: The file is missing, empty, or not readable as ``kind``.
    """
    if kind is MediaKind.VIDEO:
        probe_video(path)
        return
    try:
        with _open(path) as image:
            image.verify()
    except _BROKEN as error:
        raise _media_error(path, error) from error


@functools.cache
def _formats() -> tuple[str, ...]:
    # Only plain raster formats: others of Pillow's start programs (EPS) or fetch further files.
    Image.init()
    wanted = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "PPM")
    return tuple(name for name in wanted if name in Image.OPEN)


def _open(path: Path) -> Image.Image:
    image = Image.open(path, formats=_formats())
    if image.width * image.height > MAX_DECODED_PIXELS:
        image.close()
        raise Image.DecompressionBombError(f"{image.width}x{image.height} pixels")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Greyscale of more than 8 bits, by scaling; Pillow's own conversion clips at 255."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        values = np.nan_to_num(values)
        scale = 255.0 if values.max(initial=0) <= 1 else 1.0
    elif image.mode.startswith("I;16") or values.max(initial=0) <= 0xFFFF:
        scale = 255 / 0xFFFF
    else:
        scale = 255 / values.max()
    return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)


def _media_error(path: Path, error: BaseException) -> MediaError:
    if isinstance(error, FileNotFoundError):
        return MediaError(f"{path}: no such file")
    if isinstance(error, Image.DecompressionBombError):
        return MediaError(
            f"{path}: too large to decode ({brief(error)})",
            hint=f"the limit is {MAX_DECODED_PIXELS // 1_000_000} million pixels; scale it down",
        )
    if isinstance(error, UnidentifiedImageError):
        return MediaError(f"{path}: is not an image of a known format")
    return MediaError(f"{path}: cannot be read as an image ({brief(error)})")
