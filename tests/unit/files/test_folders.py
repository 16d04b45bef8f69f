"""Files and folders that are written through no link, whole, and as private as their place."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.files import (
    Folder,
    WholeFile,
    keep_private,
    make_folder,
    open_appending,
    open_lock,
    private,
    read_regular,
    whole,
    write_whole,
)


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def unnamed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the file system can hold a file without a name."""
    if not request.param:
        monkeypatch.setattr(whole, "_unnamed", lambda *_: None)
    return bool(request.param)


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """What waits for a FIFO's other end waits for ever."""
    signal.alarm(20)
    yield
    signal.alarm(0)


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tmp_path: Path, unnamed: bool) -> None:
    mine, path = tmp_path / "thesis.tex", tmp_path / "o" / "a.json"
    mine.write_text("mine")
    path.parent.mkdir()
    path.symlink_to(mine)
    write_whole(path, "new")
    assert (mine.read_text(), path.read_text()) == ("mine", "new")
    assert not path.is_symlink()
    assert [one.name for one in path.parent.iterdir()] == ["a.json"]


def test_a_process_that_is_killed_leaves_what_was_there_and_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    pid = os.fork()
    if not pid:
        with WholeFile(path) as file:
            file.stream.write(b"x" * (1 << 20))
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_of_two_that_make_one_file_once_the_first_one_stays(tmp_path: Path, unnamed: bool) -> None:
    with pytest.raises(FileExistsError), WholeFile(tmp_path / "key", replace=False) as second:
        second.stream.write(b"second")
        write_whole(tmp_path / "key", "first", replace=False)
    assert (tmp_path / "key").read_text() == "first"
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    "use",
    [
        lambda path: write_whole(path, "x"),
        lambda path: open_appending(path).close(),
        lambda path: os.close(open_lock(path)),
        read_regular,
    ],
    ids=["write", "append", "lock", "read"],
)
def test_a_fifo_is_refused_and_nobody_waits_for_it(tmp_path: Path, use: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "f")
    with pytest.raises(OSError, match=r"FIFO|regular file"):
        use(tmp_path / "f")
    assert stat.S_ISFIFO((tmp_path / "f").stat().st_mode)


@pytest.mark.parametrize("use", [open_appending, open_lock, read_regular])
def test_a_link_to_a_file_is_not_opened(tmp_path: Path, use: Callable[[Path], object]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(OSError, match="links are not followed"):
        use(tmp_path / "link")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_links_are_followed_down_to_the_folder_that_a_person_named_and_no_further(tmp_path: Path) -> None:
    disk, other = tmp_path / "disk", tmp_path / "other"
    disk.mkdir()
    other.mkdir()
    (tmp_path / "named").symlink_to(disk)
    (disk / "data").symlink_to(other)
    write_whole(tmp_path / "named" / "a", "x", below=tmp_path / "named")
    assert (disk / "a").read_text() == "x"
    for make in (
        lambda: write_whole(tmp_path / "named" / "data" / "a", "x", below=tmp_path / "named"),
        lambda: make_folder(tmp_path / "named" / "data" / "set-1", below=tmp_path / "named"),
    ):
        with pytest.raises(OSError, match="links are not followed"):
            make()
    assert list(other.iterdir()) == []


def test_what_takes_a_folders_place_while_it_is_open_gets_nothing(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Folder.at(tmp_path / "o") as folder:
        (tmp_path / "o").rename(tmp_path / "moved")
        (tmp_path / "o").symlink_to(other)
        write_whole(tmp_path / "o" / "a", "x", within=folder)
    assert list(other.iterdir()) == []
    assert (tmp_path / "moved" / "a").read_text() == "x"


def test_deleting_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a").write_text("mine")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "media").symlink_to(tmp_path / "other")
    (tmp_path / "o" / "inner").mkdir()
    (tmp_path / "o" / "inner" / "link").symlink_to(tmp_path / "other")
    with Folder.at(tmp_path / "o") as folder:
        for name in ("media", "inner", "nothing"):
            folder.remove(name)
        assert folder.names() == []
        with pytest.raises(OSError, match="no name"):
            folder.remove("../other")
    assert (tmp_path / "other" / "a").read_text() == "mine"


@pytest.fixture
def private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(private, "_kept", {})
    (tmp_path / "ws").mkdir(0o700)
    before = os.umask(0o000)
    yield tmp_path / "ws"
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def make_all(folder: Path) -> list[Path]:
    write_whole(folder / "a" / "whole", "x")
    open_appending(folder / "a" / "log").close()
    os.close(open_lock(folder / "a" / "lock"))
    return [folder / "a" / name for name in ("whole", "log", "lock")]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o2770, 0o660)])
def test_what_lies_in_a_private_folder_is_private_whatever_the_umask(
    private_folder: Path, unnamed: bool, umask: int, folder: int, file: int
) -> None:
    private_folder.chmod(folder)
    keep_private(private_folder)
    os.umask(umask)
    made = make_all(private_folder / "b")
    assert {mode(path) for path in made} == {file}
    assert {mode(private_folder / "b"), mode(private_folder / "b" / "a")} == {folder}


def test_elsewhere_the_umask_decides_and_a_secret_is_one(private_folder: Path, tmp_path: Path, unnamed: bool) -> None:
    keep_private(private_folder)
    os.umask(0o027)
    made = make_all(tmp_path / "elsewhere")
    assert {mode(path) for path in made} == {0o640}
    assert mode(tmp_path / "elsewhere" / "a") == 0o750
    write_whole(tmp_path / "key", "x", secret=True)
    assert mode(tmp_path / "key") == 0o600
