from pathlib import Path

import pytest

from backend.domain.pairs import MediaKind
from backend.errors import MediaError
from backend.media.paths import media_kind, resolve_media


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "rootless").mkdir()
    (tmp_path / "rootless" / "secret.png").write_bytes(b"x")
    return tmp_path / "root"


def test_a_path_is_resolved_inside_the_data_root_relative_or_absolute(root):
    expected = (root / "sub" / "a.png").resolve()
    assert resolve_media(root, "sub/a.png") == expected
    assert resolve_media(root, str(root / "sub" / "a.png")) == expected
    assert resolve_media(root, "sub/../sub/a.png") == expected


@pytest.mark.parametrize(
    "path",
    [
        "../rootless/secret.png",
        "sub/../../rootless/secret.png",
        "/etc/passwd",
        "a\0.png",
        "",
        "https://host/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AA",
        "\udcff\0",
    ],
)
def test_a_path_that_leaves_the_data_root_is_refused(root, path):
    with pytest.raises(MediaError):
        resolve_media(root, path)


def test_a_symbolic_link_may_point_inside_the_data_root_but_not_out_of_it(root):
    (root / "in").symlink_to(root / "sub")
    (root / "out").symlink_to(root.parent / "rootless")
    assert resolve_media(root, "in/a.png") == (root / "sub" / "a.png").resolve()
    with pytest.raises(MediaError, match="leaves the data root"):
        resolve_media(root, "out/secret.png")
    with pytest.raises(MediaError, match="leaves the data root"):
        resolve_media(root, str(root / "out" / "secret.png"))


def test_a_data_root_behind_a_link_works(root):
    link = root.parent / "link"
    link.symlink_to(root)
    assert resolve_media(link, str(link / "a.png")) == (root / "a.png").resolve()


def test_media_kind_is_told_by_the_extension():
    assert media_kind("x/A.JPEG") is MediaKind.IMAGE
    assert media_kind("a.avif") is MediaKind.IMAGE
    assert media_kind("a.b.WebM") is MediaKind.VIDEO
    with pytest.raises(MediaError):
        media_kind("notes.txt")
