"""Folders that are held open, so that what is written into one lands in that one."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from enum import Enum
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Self

from backend.files import private
from backend.files.opening import open_regular, refused

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Kind(Enum):
    """What stands under a name."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "device, FIFO or socket"


class Folder:
    """An open folder. All that is done in it is done by its descriptor: nobody who puts a link in the
    place of its name, or of one in it, leads us elsewhere.

    Attributes:
        path: Where it was opened; for messages, and for libraries that only take paths.
        mode: Of what is made in it, see :mod:`backend.files.private`.
    """

    def __init__(self, path: Path, descriptor: int, mode: int | None) -> None:
        self.path, self.descriptor, self.mode = path, descriptor, mode

    @classmethod
    def at(cls, path: Path, *, below: Path | None = None, make: bool = True) -> Self:
        """Open a folder, making it where it is missing.

        Args:
            path: Links in it are followed, because a person named it.
            below: Only down to this one they are; further down none is.

        Raises:
            OSError: It cannot be made or opened, or a name below ``below`` is a link.
        """
        top = path if below is None else below
        if make:
            _make_all(top)
        folder = cls(top, os.open(top, _FOLDER), private.mode_below(top))
        for name in () if below is None else path.relative_to(below).parts:
            with folder as above:
                folder = above.inside(name, make=make)
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; closing it again does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def inside(self, name: str, *, make: bool = True) -> Self:
        """The folder of that name in it.

        Raises:
            OSError: It is a link or no folder, or cannot be made.
        """
        made = False
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(_plain(name), self.mode or 0o777, dir_fd=self.descriptor)
                made = True
        if self.kind(name) is Kind.LINK:
            raise refused(self.path / name, "it is a link, and links are not followed here")
        descriptor = os.open(_plain(name), _FOLDER | os.O_NOFOLLOW, dir_fd=self.descriptor)
        if made:
            private.apply(descriptor, self.mode, folder=True)
        return type(self)(self.path / name, descriptor, self.mode)

    def fresh(self, name: str) -> Self:
        """A new folder in it.

        Raises:
            FileExistsError: There is something under that name.
        """
        os.mkdir(_plain(name), self.mode or 0o777, dir_fd=self.descriptor)
        return self.inside(name)

    def names(self) -> list[str]:
        """What is in it, sorted."""
        return sorted(os.listdir(self.descriptor))  # noqa: PTH208 - a Path has no descriptor

    def kind(self, name: str) -> Kind | None:
        """What stands under a name; ``None`` when nothing does."""
        try:
            mode = os.lstat(_plain(name), dir_fd=self.descriptor).st_mode
        except FileNotFoundError:
            return None
        tests = {Kind.FILE: stat.S_ISREG, Kind.FOLDER: stat.S_ISDIR, Kind.LINK: stat.S_ISLNK}
        return next((kind for kind, test in tests.items() if test(mode)), Kind.OTHER)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """The descriptor of a regular file in it, see :func:`~backend.files.opening.open_regular`."""
        return open_regular(_plain(name), flags, mode=self.mode, dir_fd=self.descriptor)

    def reading(self, name: str) -> BufferedReader:
        """A regular file in it, to be read."""
        return os.fdopen(self.open(name), "rb")

    def rename(self, name: str, to: Folder, new: str | None = None) -> None:
        """Move something into ``to``, in the place of what bears the name there."""
        target = _plain(new or name)
        os.rename(_plain(name), target, src_dir_fd=self.descriptor, dst_dir_fd=to.descriptor)

    def remove(self, name: str) -> None:
        """Delete a file, a link (not what it leads to), or a folder with all that is in it. Nothing
        is done where there is none."""
        kind = self.kind(name)
        if kind is Kind.FOLDER:
            shutil.rmtree(_plain(name), dir_fd=self.descriptor)
        elif kind is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_plain(name), dir_fd=self.descriptor)

    def sync(self) -> None:
        """Wait until the names in it are on the disk."""
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(self.descriptor)


def make_folder(path: Path, *, below: Path | None = None) -> None:
    """Make a folder and what is missing above it; see :meth:`Folder.at`."""
    Folder.at(path, below=below).close()


def _plain(name: str) -> str:
    if not name or "/" in name or name in (".", ".."):
        raise refused(name, "it is no name of a file")
    return name


def _make_all(path: Path) -> None:
    missing: list[Path] = []
    for one in (path, *path.parents):
        if one.exists():
            break
        missing.append(one)
    for one in reversed(missing):
        mode = private.mode_below(one.parent)
        with contextlib.suppress(FileExistsError):
            one.mkdir(mode or 0o777)
            if mode is not None:
                one.chmod(mode)
