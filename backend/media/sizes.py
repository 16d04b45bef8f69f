"""The sizes that the Qwen-VL family works with, and what may be decoded at all."""

from __future__ import annotations

import math

from backend.errors import MediaError

MAX_DECODED_PIXELS = 100_000_000
"""An image, or a video's frame, with more pixels is refused before it is decoded."""

QWEN_FACTOR = 28
"""Sides are multiples of it in Qwen2-VL and Qwen2.5-VL; see ``backend.engines.models``."""

QWEN_MAX_PIXELS = 16384 * 28 * 28
"""``qwen_vl_utils.MAX_PIXELS``."""

MAX_PIXELS = 360 * QWEN_FACTOR * QWEN_FACTOR
"""At which judges are asked and trained unless told otherwise; LightRFT's default for training."""

TOO_LARGE = f"the limit is {MAX_DECODED_PIXELS // 1_000_000} million pixels; scale it down"
"""The hint about it."""

_MAX_ASPECT = 200


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


def refuse_giants(name: str, width: int, height: int) -> None:
    """Refuse what has too many pixels to be decoded.

    Raises:
        MediaError: It has more than :data:`MAX_DECODED_PIXELS`.
    """
    if width * height > MAX_DECODED_PIXELS:
        raise MediaError(f"{name}: too large to decode ({width}x{height} pixels)", hint=TOO_LARGE)
