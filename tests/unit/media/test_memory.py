"""Media are decoded at the size that is needed, and what judges see does not change by it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.domain.pairs import MediaKind
from backend.media import images, video
from backend.media.images import OpenImage, judges_fit, read_image, read_small
from backend.media.reading import read_medium, read_video
from backend.media.sizes import MAX_PIXELS
from backend.media.video import OpenVideo
from tests.drills.media_fuzz import write_media

MODES = ("L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "1")


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 255, (9, 13, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def opened(data: bytes, *, whole: int, max_pixels: int = 28 * 28 * 50) -> OpenImage:
    image = Image.open(BytesIO(data))
    return OpenImage(image, "a", judges_fit("a", max_pixels, 28), whole=whole)  # type: ignore[arg-type]


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_images_of_usual_sizes_are_resized_from_all_of_their_pixels(tmp_path: Path) -> None:
    """As ever: what was judged by an older version is trained on the same pixels."""
    assert images.WHOLE_PIXELS == 4096**2
    for form in ("JPEG", "PNG", "TIFF", "WEBP"):
        data = saved(picture(813, 547), form)
        (tmp_path / "a").write_bytes(data)
        read = read_image(tmp_path / "a", max_pixels=MAX_PIXELS)
        size = read.size
        expected = Image.open(BytesIO(data)).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        assert np.array_equal(np.asarray(read), np.asarray(expected))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_a_reduced_image_is_the_same_picture(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(picture(813, 547), form, exif=exif)
    whole, reduced = opened(data, whole=10**9), opened(data, whole=1000)
    one, two = whole.decode(), reduced.decode()
    assert one.size == two.size
    assert (one.width > one.height) == (orientation < 5)
    assert np.abs(np.asarray(one).astype(int) - np.asarray(two)).mean() < 1.5
    assert one.getexif().get(0x0112, 1) == two.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_reduced_band_by_band(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if mode in ("I;16", "F"):
        grey = np.asarray(picture(640, 480).convert("L"))
        values = grey.astype(np.uint16) * 257 if mode == "I;16" else grey.astype(np.float32) / 255
        image = Image.fromarray(values)
    else:
        image = picture(640, 480).convert(mode)
    data = saved(image, "TIFF")
    whole = opened(data, whole=10**9).decode()
    monkeypatch.setattr(images, "_BAND_PIXELS", 10_000)
    found = opened(data, whole=1000).decode()
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(found)).mean() < 3


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    data = saved(picture(4000, 3000), "JPEG")
    assert opened(data, whole=1000).peak < opened(data, whole=10**9).peak / 20
    small = read_small(BytesIO(data), 160, "a")
    assert small.size == (160, 120)


def test_frames_are_kept_at_the_size_that_is_shown(tmp_path: Path) -> None:
    """The pixels are those of whole frames, resized one after another."""
    path = next(path for path in write_media(tmp_path) if path.name == "a.mp4")
    whole = read_video(path, fps=4.0)
    shown = read_medium(path, MediaKind.VIDEO, fps=4.0, max_pixels=28 * 28 * 2, factor=28)
    assert shown.frames.shape == (len(whole.frames), 28, 28, 3)
    assert shown.metadata() == whole.metadata()
    for one, other in zip(shown.frames, whole.frames, strict=True):
        expected = Image.fromarray(other).resize((28, 28), Image.Resampling.BICUBIC)
        assert np.array_equal(one, np.asarray(expected))
    with path.open("rb") as stream:
        limits = {"fps": 4.0, "factor": 28, "max_frames": 768}
        small = OpenVideo(stream, "a", max_pixels=28 * 28 * 2, **limits)  # type: ignore[arg-type]
        assert small.kept == shown.frames.nbytes


def test_a_video_that_takes_too_long_or_has_too_many_frames_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(path for path in write_media(tmp_path) if path.name == "a.webm")
    monkeypatch.setattr(video, "LONGEST_SECONDS", -1.0)
    with pytest.raises(images.MediaError, match="seconds to decode"):
        read_video(path, fps=2.0)
    monkeypatch.setattr(video, "MOST_FRAMES", 5)
    with pytest.raises(images.MediaError, match="more than 5 frames"):
        read_video(path, fps=2.0)
