"""Whatever a decoder raises is the error of the medium that it was given."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageFile

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.ingest.media_check import MediaCheck
from backend.media.images import probe_media, read_image
from backend.media.reading import read_medium
from tests.drills.media_fuzz import fuzz_media, write_media


def test_nothing_but_the_mediums_error_comes_of_broken_files(tmp_path: Path) -> None:
    assert fuzz_media(20, 0, tmp_path, rounds=3) == []


def test_every_whole_file_of_the_fuzz_is_read(tmp_path: Path) -> None:
    for path in write_media(tmp_path):
        video = path.suffix in (".mp4", ".mov", ".webm", ".mkv", ".avi", ".ts")
        kind = MediaKind.VIDEO if video else MediaKind.IMAGE
        probe_media(path, kind)
        assert read_medium(path, kind, fps=2.0, max_pixels=None, factor=28)


def test_a_broken_avif_costs_its_own_row_of_an_import(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "good.avif")
    whole = bytearray((tmp_path / "good.avif").read_bytes())
    at = whole.index(b"mdat") + 4
    whole[at:] = b"\xff" * (len(whole) - at)
    (tmp_path / "bad.avif").write_bytes(whole)
    (tmp_path / "cut.avif").write_bytes(whole[:200])
    for name in ("bad.avif", "cut.avif"):
        with pytest.raises(MediaError, match=name):
            read_image(tmp_path / name)
    with MediaCheck(tmp_path) as check:
        found = check.problems([(name, MediaKind.IMAGE) for name in ("good.avif", "cut.avif")])
    assert [(path, what) for (path, _), (what, _) in found.items()] == [("cut.avif", "unreadable")]


@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError("codec"),
        MemoryError(),
        ZeroDivisionError("x"),
        RecursionError(),
        SyntaxError("x"),
        Image.DecompressionBombWarning("x"),
        LookupError("a\x1b[31m\u202eb" + "c" * 999),
    ],
)
def test_any_exception_is_one_short_printable_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")

    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", fail)
    with pytest.raises(MediaError, match=r"a\.png") as caught:
        read_image(tmp_path / "a.png")
    said = caught.value.message.replace(str(tmp_path), "")
    assert said.isprintable() and len(said) < 300


def test_an_interruption_is_no_error_of_a_medium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", fail)
    with pytest.raises(KeyboardInterrupt):
        read_image(tmp_path / "a.png")
