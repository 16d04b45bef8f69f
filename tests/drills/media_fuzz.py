"""Broken media of every format that can be written here: nothing but a ``MediaError`` may come of them."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.media.images import probe_media, read_image
from backend.media.opening import open_regular
from backend.media.reading import read_medium
from backend.media.thumbnails import browser_image, thumbnail

_IMAGES: dict[str, tuple[str, str, dict[str, object]]] = {
    "a.jpg": ("RGB", "JPEG", {}),
    "progressive.jpg": ("RGB", "JPEG", {"progressive": True}),
    "cmyk.jpg": ("CMYK", "JPEG", {}),
    "a.png": ("RGBA", "PNG", {}),
    "p.png": ("P", "PNG", {}),
    "a.webp": ("RGB", "WEBP", {"method": 0}),
    "a.gif": ("P", "GIF", {}),
    "a.bmp": ("RGB", "BMP", {}),
    "a.tif": ("RGB", "TIFF", {}),
    "lzw.tif": ("L", "TIFF", {"compression": "tiff_lzw"}),
    "jpeg.tif": ("RGB", "TIFF", {"compression": "jpeg"}),
    "float.tif": ("F", "TIFF", {}),
    "a.ppm": ("RGB", "PPM", {}),
    "a.avif": ("RGB", "AVIF", {"speed": 10}),
}
_VIDEOS = (
    ("a.mp4", "libx264"),
    ("a.mov", "mpeg4"),
    ("a.webm", "libvpx-vp9"),
    ("a.mkv", "libx264"),
    ("a.avi", "mpeg4"),
    ("a.ts", "libx264"),
)


def write_media(folder: Path) -> list[Path]:
    """A small whole file of each format that can be written here."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((64, 48), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.init()
    for name, (mode, form, options) in _IMAGES.items():
        if form in Image.SAVE:
            turned = {"exif": exif} if form in ("JPEG", "TIFF", "WEBP", "PNG") else {}
            picture.convert(mode).save(folder / name, form, **options, **turned)
    for name, codec in _VIDEOS:
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(8))
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for number in range(12):
                moved = np.roll(np.asarray(picture), number, axis=1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
            container.mux(stream.encode())
    return sorted(folder.iterdir())


def mutated(whole: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """A broken form of a file: cut, with flipped or filled bytes, or with the head of another one."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not data:
            break
        at = rng.randrange(len(data))
        way = rng.randrange(6)
        if way == 0:
            del data[at:]
        elif way == 1:
            for _ in range(rng.choice((1, 4, 32))):
                # Heads hold what decoders believe; most bytes of a file are pixels.
                place = rng.randrange(min(len(data), rng.choice((64, 512, len(data)))))
                data[place] = rng.randrange(256)
        elif way == 2:
            data[at : at + 8] = rng.choice((b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7))
        elif way == 3:
            head = rng.randrange(4, 400)
            data[:head] = rng.choice(others)[:head]
        elif way == 4:
            del data[at : at + rng.randrange(1, 40)]
        else:
            data[at:at] = data[: rng.randrange(1, 200)]
    return bytes(data)


def fuzz_media(seed: int, seconds: float, folder: Path, *, rounds: int | None = None) -> list[str]:
    """Decode, probe and draw broken media until the time is over.

    Args:
        seconds: At least one round over all formats is made.
        folder: For the files; it is made.
        rounds: Instead of the time: so many over all formats.

    Returns:
        What went wrong, a line each with what is needed to do it again; empty where nothing did.
    """
    whole = {path.name: path.read_bytes() for path in write_media(folder / "whole")}
    others = list(whole.values())
    problems: list[str] = []
    deadline, number = time.monotonic() + seconds, 0
    while number < rounds if rounds is not None else number == 0 or time.monotonic() < deadline:
        for name, data in whole.items():
            rng = random.Random(f"{seed}:{number}:{name}")
            path = folder / f"broken-{name}"
            path.write_bytes(mutated(data, others, rng))
            for what, attempt in _attempts(path, folder / "cache").items():
                if said := _said(attempt):
                    problems.append(f"seed {seed}, round {number}, {name}, {what}: {said}")
        number += 1
    return problems


def _attempts(path: Path, cache: Path) -> dict[str, Callable[[], object]]:
    video = path.suffix in (".mp4", ".mov", ".webm", ".mkv", ".avi", ".ts")
    kind = MediaKind.VIDEO if video else MediaKind.IMAGE

    def drawn() -> None:
        with open_regular(path) as file:
            thumbnail(file, kind, 32, cache)
            if not video:
                browser_image(file, cache)

    return {
        "probe": lambda: probe_media(path, kind),
        "read": lambda: read_medium(path, kind, fps=2.0, max_pixels=28 * 28 * 4, factor=28),
        "whole": (lambda: read_image(path)) if not video else (lambda: None),
        "thumbnail": drawn,
    }


def _said(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except MediaError as error:
        said = f"{error.message} {error.hint or ''}"
        return None if said.isprintable() and len(said) < 600 else f"not one short line: {said!r}"
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
    return None


__all__ = ["fuzz_media", "mutated", "write_media"]
