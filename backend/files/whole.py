"""Files that appear whole: without a name while they are written, then in their place at once."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from backend.files import private
from backend.files.folders import Folder, Kind
from backend.files.opening import refused

BUFFER = 1 << 18
_LACKING = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
"""What ``O_TMPFILE`` says where the file system or the kernel knows nothing of it."""


class WholeFile:
    """A file that is there complete or not at all.

    While it is written it has no name, so that a process that is killed leaves nothing behind; where the
    file system cannot do that it has a random one. A link in its place is replaced and not followed.

    Args:
        path: Its place. Folders that are missing above it are made.
        within: The open folder that it lies in, where there is one; of ``path`` the name counts then.
        below: Without it: links in ``path`` are followed down to this one and no further.
        sync: Wait for the disk. A cache does not.
        replace: Take the place of a file that is there.
        secret: For the owner alone (and the group of a workspace that is shared), wherever it lies.

    Raises:
        FileExistsError: A file is there that is not to be replaced.
        OSError: It cannot be written, or a folder, a device or a FIFO stands in its place. What stood
            there before is untouched.
    """

    def __init__(
        self,
        path: Path,
        *,
        within: Folder | None = None,
        below: Path | None = None,
        sync: bool = True,
        replace: bool = True,
        secret: bool = False,
    ) -> None:
        self.path, self._below = path, below
        self._sync, self._replace, self._secret = sync, replace, secret
        self._within, self._own = within, within is None
        self._random: str | None = None
        self._stream: IO[bytes] | None = None

    @property
    def stream(self) -> IO[bytes]:
        """What to write to, while it is open. It can be sought in."""
        assert self._stream is not None
        return self._stream

    @property
    def folder(self) -> Folder:
        """The folder that it lies in, while it is open."""
        assert self._within is not None
        return self._within

    def __enter__(self) -> Self:
        if self._within is None:
            self._within = Folder.at(self.path.parent, below=self._below)
        try:
            self._check_place()
            self._stream = os.fdopen(self._opened(), "wb", buffering=BUFFER)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
                self._put_in_place()
        finally:
            with contextlib.suppress(OSError):  # closing writes what is buffered
                self.stream.close()
            if self._random is not None:
                self.folder.remove(self._random)
            self._leave()

    def finish(self) -> None:
        """Write what comes last, where a format has such a thing."""

    def _put_in_place(self) -> None:
        self.stream.flush()
        descriptor = self.stream.fileno()
        if self._sync:
            os.fsync(descriptor)
        if self._random is None:
            try:
                self._link(f"/proc/self/fd/{descriptor}", self.path.name)
            except FileExistsError:
                if not self._replace:
                    raise
                self._random = _random()
                self._link(f"/proc/self/fd/{descriptor}", self._random)
            else:
                return
        if not self._replace:
            self._link(self._random, self.path.name, self.folder.descriptor)
            return
        self._check_place()
        self.folder.rename(self._random, self.folder, self.path.name)
        self._random = None

    def _link(self, source: str, name: str, source_folder: int | None = None) -> None:
        # With a folder's descriptor the link in /proc is followed; without one it would be taken.
        os.link(source, name, src_dir_fd=source_folder, dst_dir_fd=self.folder.descriptor)

    def _check_place(self) -> None:
        kind = self.folder.kind(self.path.name)
        if kind not in (None, Kind.FILE, Kind.LINK):
            raise refused(self.path, f"a {kind.value} stands in its place", errno.EEXIST)

    def _opened(self) -> int:
        mode = self.folder.mode
        if mode is None and self._secret:
            mode = private.OWNER
        descriptor = _unnamed(self.folder, mode)
        if descriptor is None:
            self._random = _random()
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._random, flags, private.of_file(mode), dir_fd=self.folder.descriptor)
        private.apply(descriptor, mode)
        return descriptor

    def _leave(self) -> None:
        if self._own and self._within is not None:
            self._within.close()
            self._within = None


def _unnamed(folder: Folder, mode: int | None) -> int | None:
    """A file that has no name yet; ``None`` where there is no such thing."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        return None
    try:
        return os.open(".", flag | os.O_RDWR | os.O_CLOEXEC, private.of_file(mode), dir_fd=folder.descriptor)
    except OSError as error:
        if error.errno in _LACKING:
            return None
        raise


def _random() -> str:
    return f".{secrets.token_hex(8)}.partial"


def write_whole(path: Path, data: bytes | str, **how: Any) -> None:
    """Write a small file, whole; text as UTF-8.

    Args:
        how: As of :class:`WholeFile`.
    """
    with WholeFile(path, **how) as file:
        if isinstance(data, str):
            # A path may hold bytes that are no text.
            data = data.encode("utf-8", "surrogateescape")
        file.stream.write(data)


def write_json(path: Path, value: Any, **how: Any) -> None:
    """Write a small JSON document, whole; see :func:`write_whole`."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
    write_whole(path, text, **how)


def copy_new(source: Path, path: Path, **how: Any) -> None:
    """Copy a file, whole; see :func:`write_whole`."""
    with source.open("rb") as stream, WholeFile(path, **how) as file:
        shutil.copyfileobj(stream, file.stream, 1 << 20)
