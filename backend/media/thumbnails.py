"""Small WebP pictures of media, made once and kept in a cache folder.

The cache may be deleted at any time. A file's name is the hash of path, size and time of its source,
so that a changed medium gets a new thumbnail.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.files import WholeFile
from backend.foreign_text import brief
from backend.media.images import read_image, read_small
from backend.media.video import first_frame

# A page of thumbnails asks for fifty at once, and wants to be answered meanwhile.
_DECODERS = threading.BoundedSemaphore(3)
_QUALITY = 80
_CONVERTED = 0
"""As ``edge``: full size, only the format changes."""


def thumbnail(source: BinaryIO, kind: MediaKind, edge: int, cache: Path) -> Path:
    """The thumbnail of an image, or of a video's first frame.

    Args:
        source: The medium, from :meth:`backend.media.paths.MediaRoot.open`.
        edge: The longer side has at most so many pixels.

    Returns:
        A WebP file below ``cache``.

    Raises:
        MediaError: The medium cannot be decoded.
    """
    target = _place(source, edge, cache)
    if target.exists():
        return target
    name = Path(source.name).name
    with _DECODERS:
        if not target.exists():
            if kind is MediaKind.VIDEO:
                image = first_frame(source, name)
                image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
            else:
                image = read_small(source, edge, name)
            _write(image, target)
    return target


def browser_image(source: BinaryIO, cache: Path) -> Path:
    """An image that no browser shows (TIFF, 16-bit, …), as a WebP of the same size.

    Raises:
        MediaError: It cannot be decoded.
    """
    target = _place(source, _CONVERTED, cache)
    if target.exists():
        return target
    with _DECODERS:
        if not target.exists():
            _write(read_image(source), target)
    return target


def _place(source: BinaryIO, edge: int, cache: Path) -> Path:
    state = os.fstat(source.fileno())
    key = f"{source.name}\0{state.st_size}\0{state.st_mtime_ns}\0{edge}".encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(key).hexdigest()
    return cache / digest[:2] / f"{digest[2:40]}.webp"


def _write(image: Image.Image, target: Path) -> None:
    try:
        with WholeFile(target, sync=False) as file:
            image.save(file.stream, format="WEBP", quality=_QUALITY, method=2)
    except Exception as error:
        raise MediaError(f"{target}: the thumbnail cannot be written ({brief(error)})") from error
