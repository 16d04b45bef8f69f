"""Only regular files are opened, whatever stands at a path by the time it is opened."""

from __future__ import annotations

import ast
import os
import socket
from pathlib import Path

import pytest
from PIL import Image

import backend
from backend.datasets.json_rows import json_array
from backend.datasets.parquet_rows import parquet_rows
from backend.datasets.row_keys import Keys
from backend.domain.pairs import MediaKind
from backend.errors import DatasetError, MediaError
from backend.ingest.importer import import_dataset
from backend.ingest.media_check import MediaCheck
from backend.media.images import probe_media
from backend.media.opening import open_medium, open_regular
from backend.media.paths import MediaRoot
from backend.media.reading import read_medium
from backend.store.database import Database
from backend.store.upgrade import upgrade

pytestmark = pytest.mark.timeout(60)
OPENERS = ("backend/media/opening.py", "backend/media/frames_file.py", "backend/demo")
"""The one module that opens media; and those that write them."""


@pytest.fixture
def special(tmp_path: Path) -> Path:
    """A data root in which some names are no regular files."""
    folder = tmp_path / "root"
    folder.mkdir()
    for name in ("fifo.png", "fifo.mp4", "fifo.json"):
        os.mkfifo(folder / name)
    for name in ("folder.png", "folder.mp4"):
        (folder / name).mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket.png"))
    for name in ("zero.png", "zero.mp4"):
        (folder / name).symlink_to("/dev/zero")
    Image.new("RGB", (32, 32)).save(folder / "a.png")
    return folder


@pytest.mark.parametrize("name", ["fifo.png", "fifo.mp4", "folder.png", "zero.png", "zero.mp4"])
def test_a_file_that_is_none_is_refused_at_every_opening(special: Path, name: str) -> None:
    kind = MediaKind.VIDEO if name.endswith("mp4") else MediaKind.IMAGE
    for attempt in (
        lambda: read_medium(special / name, kind, fps=2.0, max_pixels=None, factor=28),
        lambda: probe_media(special / name, kind),
        lambda: MediaRoot(str(special), ["/dev"]).open(name),
    ):
        with pytest.raises(MediaError, match="not a regular file"):
            attempt()


def test_a_socket_is_refused(special: Path) -> None:
    with pytest.raises(OSError):
        open_regular(special / "socket.png")


def test_an_import_reports_them_as_rows(special: Path) -> None:
    with MediaCheck(special, ["/dev"]) as check:
        found = check.problems([(name, MediaKind.IMAGE) for name in ("a.png", "fifo.png", "zero.png", "none.png")])
    assert {path: what for (path, _), (what, _) in found.items()} == {
        "fifo.png": "unreadable",
        "zero.png": "unreadable",
        "none.png": "missing",
    }


@pytest.mark.parametrize("whole", [True, False])
def test_a_part_that_was_exchanged_for_a_link_is_not_followed(tmp_path: Path, whole: bool) -> None:
    """As between looking at a path and opening it."""
    inside, outside = tmp_path / "root" / "sub", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(folder / "a.png")
    resolved = MediaRoot(str(tmp_path / "root")).resolve("sub/a.png")
    open_medium(resolved).close()
    if whole:
        inside.rename(tmp_path / "root" / "away")
        inside.symlink_to(outside)
    else:
        resolved.unlink()
        resolved.symlink_to(outside / "a.png")
    with pytest.raises(MediaError, match="symbolic link"):
        open_medium(resolved)


def test_a_folder_that_may_be_passed_but_not_listed_holds_media(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "root" / "a.png")
    (tmp_path / "root").chmod(0o711)
    MediaRoot(str(tmp_path / "root")).open("a.png").close()


def test_a_playlist_that_is_called_a_video_opens_no_other_file(tmp_path: Path) -> None:
    from tests.drills.media_fuzz import write_media

    write_media(tmp_path)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile a.mp4\n")
    for path in (tmp_path / "list.mp4", tmp_path / "fifo.mp4"):
        with pytest.raises(MediaError):
            read_medium(path, MediaKind.VIDEO, fps=2.0, max_pixels=None, factor=28)


@pytest.mark.parametrize("source", ["pairs:fifo.json", "hpdv3:/dev/zero", "rapidata-t2v:fifo.json"])
def test_a_datasets_own_file_that_is_none_is_one_line(
    special: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(special)
    database = Database(tmp_path / "winnow.db")
    upgrade(database)
    with pytest.raises(DatasetError, match="not a regular file"):
        import_dataset(database, name="d", spec=source)
    database.close()
    with pytest.raises(OSError, match="not a regular file"):
        list(json_array(special / "fifo.json"))
    with pytest.raises(DatasetError, match="not a regular file"):
        list(parquet_rows(special / "fifo.json", ["a"], lambda *_: None, Keys()))  # type: ignore[arg-type,return-value]


def test_media_are_opened_in_one_place_only() -> None:
    """Paths reach no decoder: Image.open and av.open are given what the opener opened."""
    root = Path(backend.__file__).parent.parent
    found = []
    for path in [*root.glob("backend/**/*.py"), *root.glob("dashboard/**/*.py"), *root.glob("pages/*.py")]:
        name = path.relative_to(root).as_posix()
        if name.startswith(OPENERS):
            continue
        text = path.read_text(encoding="utf-8")
        if not ("PIL" in text or "import av" in text or "media" in text):
            continue
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if node.func.attr == "open" and of in ("Image", "av"):
                argument = ast.unparse(node.args[0])
                if argument not in ("stream", "source"):
                    found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
            in_media = name.startswith("backend/media/")
            if in_media and node.func.attr in ("open", "read_bytes") and of in ("path", "source", "file"):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
            if node.func.attr in ("copyfile", "copy2") and "export" in name:
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert found == []
