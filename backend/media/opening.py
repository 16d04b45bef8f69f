"""Opening files that others have named: regular files only, whatever stands at the path by now.

A FIFO would hang its reader, and a device has no end. Looking at the path first is not enough, because
it can be exchanged before it is opened: what is asked is the descriptor, and only that is read.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from backend.errors import MediaError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Without O_NONBLOCK, opening a FIFO waits for somebody who writes.
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
# A folder that may be passed through but not listed is opened by O_PATH alone, where there is such.
_PASSING = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


class NotRegular(OSError):
    """What stands at the path is no regular file; ``strerror`` says what it is."""


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file to read its bytes; symbolic links are followed.

    Raises:
        NotRegular: It is something else.
        OSError: It is missing or cannot be read.
    """
    return open(path, "rb", opener=_open)


def open_resolved(path: Path) -> BufferedReader:
    """Open a regular file by a path that was resolved: none of its parts may be a symbolic link.

    A part that was exchanged for a link since the path was checked leads nowhere.

    Args:
        path: Absolute, as ``os.path.realpath`` gives it.

    Raises:
        NotRegular: It is something else.
        OSError: It is missing, cannot be read, or is reached by a link.
    """
    return open(path, "rb", opener=_walk)


def open_medium(path: Path) -> BufferedReader:
    """:func:`open_resolved` for one medium, whose errors are that medium's.

    Raises:
        MediaError: It cannot be opened.
    """
    try:
        return open_resolved(path)
    except OSError as error:
        raise unopened(str(path), error) from error


def unopened(name: str, error: OSError) -> MediaError:
    """The error of a medium that could not be opened."""
    if isinstance(error, FileNotFoundError):
        return MediaError(f"{name}: no such file")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return MediaError(
            f"{name}: is reached by a symbolic link that was not there when the path was checked",
            hint="leave the dataset's folders as they are while they are read, and try again",
        )
    return MediaError(f"{name}: {error.strerror or type(error).__name__}")


def _open(path: str, _flags: int) -> int:
    return _checked(os.open(path, _READING), path)


def _walk(path: str, _flags: int) -> int:
    parts = Path(path).parts
    folder = os.open(parts[0], _PASSING)
    try:
        for part in parts[1:-1]:
            inner = os.open(part, _PASSING, dir_fd=folder)
            os.close(folder)
            folder = inner
        return _checked(os.open(parts[-1], _READING | os.O_NOFOLLOW, dir_fd=folder), path)
    finally:
        os.close(folder)


def _checked(descriptor: int, path: str) -> int:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    kind = next((name for test, name in _KINDS if test(mode)), "something else")
    raise NotRegular(errno.EINVAL, f"is {kind}, not a regular file", path)
