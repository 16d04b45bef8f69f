"""Opening single files by their path: regular ones only, and never through a link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

from backend.files import private

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""``O_NONBLOCK``: a FIFO would make us wait for whoever opens its other end."""


def refused(path: Path | str, why: str, number: int = errno.EINVAL) -> OSError:
    """The error about something that is not opened for what it is."""
    return OSError(number, why, str(path))


def open_regular(name: str | Path, flags: int, *, mode: int | None = None, dir_fd: int | None = None) -> int:
    """Open a file that is no link, FIFO or device; returns its descriptor.

    Args:
        mode: Of the folder that it lies in, see :mod:`backend.files.private`; for one that is made.

    Raises:
        OSError: It is one of those, or cannot be opened.
    """
    try:
        descriptor = os.open(name, flags | _NO_LINK, private.of_file(mode), dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refused(name, "it is a link, and links are not followed here", errno.ELOOP) from error
        if error.errno == errno.ENXIO:  # a FIFO, or a socket
            raise refused(name, "it is no regular file") from error
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise refused(name, "it is no regular file")
    if flags & os.O_CREAT and found.st_uid == os.geteuid():
        private.apply(descriptor, mode)
    return descriptor


def open_appending(path: Path) -> IO[bytes]:
    """A log to write on at its end; made where it is missing."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return os.fdopen(open_regular(path, flags, mode=private.mode_below(path.parent)), "ab")


def open_lock(path: Path, *, make: bool = True) -> int:
    """The descriptor of a file to lock; made where it is missing.

    Raises:
        FileNotFoundError: It is missing, and is not to be made.
    """
    flags = os.O_RDWR | (os.O_CREAT if make else 0)
    return open_regular(path, flags, mode=private.mode_below(path.parent))


def read_regular(path: Path, *, limit: int = 64 << 20) -> bytes:
    """A whole small file.

    Raises:
        OSError: It is missing, no regular file, a link, or larger than ``limit`` bytes.
    """
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise refused(path, "it is too large", errno.EFBIG)
    return data
