import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.media.images import probe_media, read_image
from backend.media.sizes import smart_resize


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").size == (20, 40)


@pytest.mark.parametrize(
    ("mode", "colour", "name"),
    [("CMYK", (0, 255, 255, 0), "a.jpg"), ("P", None, "a.gif"), ("RGB", (255, 0, 0), "a.webp")],
)
def test_every_mode_becomes_rgb_with_its_colours(tmp_path, mode, colour, name):
    image = Image.new(mode, (32, 32), colour) if colour else Image.new("RGB", (32, 32), "red")
    image.convert(mode).save(tmp_path / name)
    read = read_image(tmp_path / name)
    red, green, blue = read.getpixel((16, 16))
    assert read.mode == "RGB"
    assert red > 230
    assert green < 25
    assert blue < 25


def test_transparency_is_laid_on_white(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.png")
    half = Image.new("LA", (8, 8), (0, 128))
    half.save(tmp_path / "b.png")
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0] * 256)
    palette.save(tmp_path / "c.png", transparency=0)
    assert read_image(tmp_path / "a.png").getpixel((4, 4)) == (255, 255, 255)
    assert read_image(tmp_path / "b.png").getpixel((4, 4)) == (127, 127, 127)
    assert read_image(tmp_path / "c.png").getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_greyscale_is_scaled_and_not_clipped(tmp_path, suffix):
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(4, 0)
    Image.fromarray(ramp).save(tmp_path / f"a.{suffix}")
    read = np.asarray(read_image(tmp_path / f"a.{suffix}"))[0, :, 0]
    assert np.abs(read.astype(int) - np.arange(256)).max() <= 1


def test_a_truncated_image_is_an_error(tmp_path):
    Image.effect_noise((64, 64), 90).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"a\.jpg"):
        read_image(tmp_path / "a.jpg")


def _huge_png(width: int, height: int) -> bytes:
    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", b"") + part(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 60_000])
def test_a_decompression_bomb_is_refused_with_a_hint(tmp_path, side):
    (tmp_path / "a.png").write_bytes(_huge_png(side, side))
    with pytest.raises(MediaError, match="too large") as caught:
        read_image(tmp_path / "a.png")
    assert "million pixels" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"no image at all", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_fails_the_probe_and_the_decoder(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    for read in (read_image, lambda path: probe_media(path, MediaKind.IMAGE)):
        with pytest.raises(MediaError):
            read(tmp_path / "a.png")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        read_image(tmp_path / "a.png")
    with pytest.raises(MediaError, match="no such file"):
        probe_media(tmp_path / "a.mp4", MediaKind.VIDEO)


def test_max_pixels_gives_the_size_that_qwen_uses(tmp_path):
    Image.new("RGB", (1024, 768)).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png", max_pixels=360 * 28 * 28)
    assert (read.height, read.width) == smart_resize(768, 1024, max_pixels=360 * 28 * 28)
    assert read.size == (588, 448)


@pytest.mark.slow
@settings(deadline=None)  # the first example imports transformers
@given(st.integers(28, 3000), st.integers(28, 3000), st.sampled_from([28, 32]))
def test_smart_resize_equals_transformers(height, width, factor):
    qwen = pytest.importorskip("transformers.models.qwen2_vl.image_processing_qwen2_vl")
    bounds = {"factor": factor, "min_pixels": 3136, "max_pixels": 360 * 28 * 28}
    assert smart_resize(height, width, **bounds) == qwen.smart_resize(height, width, **bounds)


def test_smart_resize_refuses_extreme_aspect_ratios(tmp_path):
    with pytest.raises(ValueError, match="aspect"):
        smart_resize(1, 201)
    Image.new("RGB", (2010, 10)).save(tmp_path / "a.png")
    with pytest.raises(MediaError, match="aspect"):
        read_image(tmp_path / "a.png", max_pixels=100_000)


@pytest.mark.parametrize("factor", [28, 32])
def test_sides_are_multiples_of_the_models_factor(tmp_path, factor):
    Image.new("RGB", (500, 300)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", max_pixels=40_000, factor=factor)
    assert image.width % factor == image.height % factor == 0
    assert image.width * image.height <= 40_000
    assert smart_resize(8, 8, factor=factor) == (2 * factor, 2 * factor)
