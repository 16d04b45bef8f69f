"""Small WebP pictures of media, made once and kept in a cache folder.

The cache may be deleted at any time. A file's name is the hash of path, size and time of its source,
so that a changed medium gets a new thumbnail.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from pathlib import Path

import av
from PIL import Image

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.foreign_text import brief
from backend.media.images import read_image

# Decoding a large image takes up to 300 MB; a page of thumbnails asks for fifty at once.
_DECODERS = threading.BoundedSemaphore(3)
_QUALITY = 80
_CONVERTED = 0
"""As ``edge``: full size, only the format changes."""


def thumbnail(source: Path, kind: MediaKind, edge: int, cache: Path) -> Path:
    """The thumbnail of an image, or of a video's first frame.

    Args:
        edge: The longer side has at most so many pixels.

    Returns:
        A WebP file below ``cache``.

    Raises:
        MediaError: The medium is missing or cannot be decoded.
    """
    target = _place(source, edge, cache)
    if target.exists():
        return target
    with _DECODERS:
        if not target.exists():
            image = _first_frame(source) if kind is MediaKind.VIDEO else read_image(source)
            image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
            _write(image, target)
    return target


def browser_image(source: Path, cache: Path) -> Path:
    """An image that no browser shows (TIFF, 16-bit, …), as a WebP of the same size.

    Raises:
        MediaError: It is missing or cannot be decoded.
    """
    target = _place(source, _CONVERTED, cache)
    if target.exists():
        return target
    with _DECODERS:
        if not target.exists():
            _write(read_image(source), target)
    return target


def _place(source: Path, edge: int, cache: Path) -> Path:
    try:
        state = source.stat()
    except OSError as error:
        raise MediaError(f"{source.name}: no such file") from error
    key = f"{source}\0{state.st_size}\0{state.st_mtime_ns}\0{edge}".encode(
        "utf-8", "surrogateescape"
    )
    digest = hashlib.sha256(key).hexdigest()
    return cache / digest[:2] / f"{digest[2:40]}.webp"


def _first_frame(source: Path) -> Image.Image:
    try:
        # "file:", because FFmpeg would read some names as protocols.
        with av.open(f"file:{source.absolute()}") as container:
            for frame in container.decode(video=0):
                return Image.fromarray(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise MediaError(f"{source.name}: cannot be read as a video ({brief(error)})") from error
    raise MediaError(f"{source.name}: the video has no frames")


def _write(image: Image.Image, target: Path) -> None:
    partial = target.with_suffix(f".{secrets.token_hex(4)}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        image.save(partial, format="WEBP", quality=_QUALITY, method=2)
        os.replace(partial, target)
    except (OSError, ValueError) as error:
        partial.unlink(missing_ok=True)
        raise MediaError(f"{target}: the thumbnail cannot be written ({brief(error)})") from error
