"""Images: any file as 8-bit RGB by Pillow, at the size that is needed of it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.media.budget import DECODING
from backend.media.failing import decoding
from backend.media.opening import open_regular
from backend.media.sizes import QWEN_FACTOR, refuse_giants, smart_resize
from backend.media.video import probe_video

WHOLE_PIXELS = 4096 * 4096
"""Images up to this size are decoded whole, pixel by pixel as ever. Only of larger ones is a reduced
picture resized, which is at least twice as large as the result in each direction."""

MAX_IMAGE_BYTES = 1_000_000_000
"""Some decoders read the whole file before they say how large the picture is."""

_SPARE = 2
_BAND_PIXELS = 4_000_000
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that turn by a quarter."""

if "PILLOW_BLOCK_SIZE" not in os.environ:
    # Of larger than 32 MiB, glibc gives every freed block back; of Pillow's usual 16 each thread would
    # keep an image's worth (Pillow's manual, "Block allocator"; mallopt(3), M_MMAP_THRESHOLD).
    Image.core.set_block_size(64 << 20)  # type: ignore[attr-defined]

Size = tuple[int, int]
"""Width and height, as Pillow has them."""


class OpenImage:
    """An image whose header was read, and which knows what decoding it takes.

    Args:
        fit: From the size as a person sees it to the size that is wanted; ``None`` leaves it.
        whole: Up to so many pixels it is decoded whole before it is resized.
        resample: Pillow's filter.

    Attributes:
        peak: Bytes that decoding needs at most, estimated.
        kept: Bytes of the result.
    """

    def __init__(
        self,
        opened: ImageFile.ImageFile,
        name: str,
        fit: Callable[[Size], Size] | None,
        *,
        whole: int = WHOLE_PIXELS,
        resample: Image.Resampling = Image.Resampling.BICUBIC,
    ) -> None:
        self._image, self._name, self._fit = opened, name, fit
        self._resample = resample
        turned = _is_turned(opened)
        self._target = fit(_as_seen(opened.size, turned)) if fit else _as_seen(opened.size, turned)
        self._least: Size | None = None
        if fit is not None and opened.width * opened.height > whole:
            least = _SPARE * self._target[0], _SPARE * self._target[1]
            self._least = _as_seen(least, turned)
            # JPEG's own way: its blocks are decoded at a half, a quarter or an eighth.
            opened.draft(opened.mode, self._least)
        self.kept = 4 * self._target[0] * self._target[1]
        self.peak = _loaded_bytes(opened) + self.kept
        if not self._least and (turned or not _is_plain(opened)):
            self.peak += 4 * opened.width * opened.height

    def decode(self) -> Image.Image:
        """The image in RGB, as a person would see it, at the size that is wanted; once.

        Raises:
            MediaError: It is cut off or broken.
        """
        try:
            with decoding(self._name, "image"):
                return self._decoded()
        finally:
            # The pixels go before the share of the budget does. The class's own close, which leaves
            # the stream open: it may be the caller's.
            Image.Image.close(self._image)

    def _decoded(self) -> Image.Image:
        image: Image.Image = self._image
        before = image.size
        image.load()
        if not self._least and image.size != before:
            # Pillow's mind of a turned 16-bit TIFF is another one by now.
            self._target = self._fit(image.size) if self._fit else image.size
        by = 1
        if self._least:
            by = max(1, min(image.width // self._least[0], image.height // self._least[1]))
        if by > 1 or not _is_plain(image):
            image = _in_rgb(image, by)
        ImageOps.exif_transpose(image, in_place=True)
        if image.size != self._target:
            return image.resize(self._target, self._resample)
        return image.copy() if image is self._image else image


@contextmanager
def opened_image(
    stream: BinaryIO,
    name: str,
    fit: Callable[[Size], Size] | None,
    *,
    whole: int = WHOLE_PIXELS,
    resample: Image.Resampling = Image.Resampling.BICUBIC,
) -> Iterator[OpenImage]:
    """Read the header of an image.

    Raises:
        MediaError: It is no image, or too large to be decoded.
    """
    with decoding(name, "image"):
        image = _opened(stream, name)
        found = OpenImage(image, name, fit, whole=whole, resample=resample)
    with image:
        yield found


def read_image(source: Path | BinaryIO, *, max_pixels: int | None = None, factor: int = QWEN_FACTOR) -> Image.Image:
    """Decode an image as a person would see it, in RGB.

    The EXIF orientation is applied, transparency is laid on white, 16-bit greyscale is scaled to
    8 bits, and of an animation the first frame is taken. Waits for its share of the memory.

    Args:
        source: A file, or its bytes: a stream that is called by its ``name``.
        max_pixels: Resize as :func:`smart_resize` says, with this upper bound.
        factor: Of the model that will look: 28, or 32 for Qwen3-VL.

    Raises:
        MediaError: The file is missing, no image, cut off, or too large to be decoded.
    """
    with (
        opened(source, "image") as (stream, name),
        opened_image(stream, name, judges_fit(name, max_pixels, factor)) as image,
        DECODING.hold(image.peak),
    ):
        return image.decode()


def read_small(stream: BinaryIO, edge: int, name: str) -> Image.Image:
    """Decode an image whose longer side has at most ``edge`` pixels, as fast as its format allows.

    Raises:
        MediaError: See :func:`read_image`.
    """

    def fit(size: Size) -> Size:
        scale = min(1.0, edge / max(size))
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    with (
        opened_image(stream, name, fit, whole=0, resample=Image.Resampling.LANCZOS) as image,
        DECODING.hold(image.peak),
    ):
        return image.decode()


def judges_fit(name: str, max_pixels: int | None, factor: int) -> Callable[[Size], Size] | None:
    """The size at which a judge is shown an image, or ``None`` where it is left to its processor."""
    if max_pixels is None:
        return None

    def fit(size: Size) -> Size:
        try:
            height, width = smart_resize(size[1], size[0], factor=factor, max_pixels=max_pixels)
        except ValueError as error:
            raise MediaError(f"{name}: {error}") from error
        return width, height

    return fit


@contextmanager
def opened(source: Path | BinaryIO, kind: str) -> Iterator[tuple[BinaryIO, str]]:
    """A medium's bytes and name, from a path or from a stream that is left open.

    Raises:
        MediaError: It is missing or no regular file.
    """
    if not isinstance(source, Path):
        yield source, str(getattr(source, "name", kind))
        return
    with decoding(str(source), kind):
        stream = open_regular(source)
    with stream:
        yield stream, str(source)


def probe_media(source: Path | BinaryIO, kind: MediaKind) -> None:
    """A cheap check that a file is what it should be: its header is read, nothing is decoded.

    Raises:
        MediaError: The file is missing, empty, or not readable as ``kind``.
    """
    with opened(source, kind.value) as (stream, name):
        if kind is MediaKind.VIDEO:
            probe_video(stream, name)
            return
        # Plugins of some formats read the whole file to find the header.
        with DECODING.hold(_length(stream)), decoding(name, "image"), _opened(stream, name) as image:
            image.verify()


@functools.cache
def _formats() -> tuple[str, ...]:
    # Only plain raster formats: others of Pillow's start programs (EPS) or fetch further files.
    Image.init()
    wanted = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "PPM")
    return tuple(name for name in wanted if name in Image.OPEN)


def _opened(stream: BinaryIO, name: str) -> ImageFile.ImageFile:
    if _length(stream) > MAX_IMAGE_BYTES:
        raise MediaError(
            f"{name}: too large to decode ({_length(stream):,} bytes)",
            hint=f"the limit is {MAX_IMAGE_BYTES // 1_000_000:,} MB for one image",
        )
    image = Image.open(stream, formats=_formats())
    try:
        refuse_giants(name, image.width, image.height)
    except MediaError:
        image.close()
        raise
    return image


def _length(stream: BinaryIO) -> int:
    length = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return length


def _loaded_bytes(image: ImageFile.ImageFile) -> int:
    """Bytes of the decoded image as its plugin and Pillow hold them."""
    pixel = {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    if image.format in ("WEBP", "AVIF"):
        pixel += 8  # the decoder's own picture, and its bytes on the way to Pillow
    elif image.format == "TIFF":
        pixel += 4  # a strip may be the whole picture; also, Pillow turns it in memory
    elif image.format == "JPEG" and image.info.get("progressive"):
        # All coefficients, of the size that was not drafted.
        return pixel * image.width * image.height + 6 * _undrafted(image)
    return pixel * image.width * image.height


def _undrafted(image: ImageFile.ImageFile) -> int:
    scale = (*getattr(image, "decoderconfig", ()), 1)[0] or 1
    return image.width * image.height * scale * scale


def _is_turned(image: ImageFile.ImageFile) -> bool:
    """Whether a person sees the sides of an unloaded image exchanged."""
    # Of a TIFF, the size is that of the turned image already.
    turns = image.getexif().get(ExifTags.Base.Orientation, 1) in _TURNED
    return turns and image.format != "TIFF"


def _as_seen(size: Size, turned: bool) -> Size:
    width, height = size
    return (height, width) if turned else size


def _is_plain(image: Image.Image) -> bool:
    return image.mode == "RGB" and not image.has_transparency_data


def _in_rgb(image: Image.Image, by: int) -> Image.Image:
    """A loaded image in RGB, at the ``by``-th part of its width and height.

    Converted band by band: copies of all of it, in wider modes, may take gigabytes.
    """
    scale = _scale_to_eight_bits(image)
    made = Image.new("RGB", (-(-image.width // by), -(-image.height // by)))
    for top, band in _bands(image, by):
        band = _to_rgb(band, scale)
        made.paste(band.reduce(by) if by > 1 else band, (0, top // by))
    made.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return made


def _bands(image: Image.Image, by: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Pieces of full width, top row first; the height of each but the last is a multiple of ``by``."""
    rows = max(1, _BAND_PIXELS // image.width // by) * by
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _to_rgb(image: Image.Image, scale: float) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image).astype(np.float64)) * scale
        return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _scale_to_eight_bits(image: Image.Image) -> float:
    """By what greyscale of more than 8 bits is multiplied; Pillow's own conversion clips at 255."""
    if image.mode not in ("I", "F"):
        return 255 / 0xFFFF
    top = max(float(np.nan_to_num(np.asarray(band)).max(initial=0)) for _, band in _bands(image))
    if image.mode == "F":
        return 255.0 if top <= 1 else 1.0
    return 255 / 0xFFFF if top <= 0xFFFF else 255 / top
