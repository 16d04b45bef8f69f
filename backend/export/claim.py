"""Exporting into a folder that holds an earlier export, or what a killed one left: alone, and all or nothing.

::

    .winnow-export             the marker: who exports here. Made first, locked while they do, deleted last
    .winnow-export-1f0c…/      where the files are written
    .winnow-export-done/       the same folder once all are there; what is moved out of it is in its place

The earlier export is valid until the new one is complete. A process that is killed lets go of its lock;
the next export clears away what it left, or, where it was complete, first finishes putting it in its place.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backend.errors import ExportError
from backend.export.files import write_errors
from backend.export.formats import FORMATS
from backend.files import Folder
from backend.files.folders import Kind

MANIFEST = "manifest.json"
MEDIA = "media"
"""The folder of copied media."""

MARKER = ".winnow-export"
MADE_BY = "winnow"
_DONE = f"{MARKER}-done"
_EARLIER, _OLD_MEDIA = "earlier.json", "earlier-media"
_LIMIT = 64 << 20
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""File systems without locks: nobody is told of another export there, and all else holds."""


class Claim:
    """The right to write into a folder, held while the block runs.

    Args:
        out: The folder; made where it is missing.
        below: Down to this one links in ``out`` are followed, and no further; all of them when not given.
        marker: The marker's name. Two with different names do not exclude each other.

    Attributes:
        folder: The folder itself.
        staging: Where to write; what is left in it at the end of the block is deleted.
    """

    folder: Folder
    staging: Folder

    def __init__(self, out: Path, *, below: Path | None = None, marker: str = MARKER) -> None:
        self._out, self._below, self._marker = out, below, marker
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self.folder = Folder.at(self._out, below=self._below)
        except OSError as error:
            raise ExportError(
                f"{self._out}: cannot be written ({error.strerror})",
                hint="give another folder, or make this one writable",
            ) from error
        try:
            with write_errors(self._out):
                self._lock = self._locked()
                self._clear()
                self._say()
                self.staging = self.folder.fresh(f"{self._marker}-{secrets.token_hex(8)}")
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.staging.close()
        with suppress(OSError):
            self.folder.remove(self.staging.path.name)
        self._leave()

    def _leave(self) -> None:
        if self._lock is not None:
            # While it is still locked: whoever waits for it looks whether it is there.
            with suppress(OSError):
                if self.folder.kind(_DONE) is None:
                    self.folder.remove(self._marker)
            os.close(self._lock)
        self.folder.close()

    def _locked(self) -> int:
        while True:
            descriptor = self.folder.open(self._marker, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = os.stat(self._marker, dir_fd=self.folder.descriptor, follow_symlinks=False).st_ino
            except BlockingIOError as error:
                raise self._busy(descriptor) from error
            except FileNotFoundError:
                found = -1
            except OSError as error:
                if error.errno in _NO_LOCKS:
                    return descriptor
                os.close(descriptor)
                raise
            if found == os.fstat(descriptor).st_ino:
                return descriptor
            # Whoever had it deleted it in this moment.
            os.close(descriptor)

    def _busy(self, descriptor: int) -> ExportError:
        with os.fdopen(descriptor, "rb") as stream:
            holder = _mapping(stream.read(4096))
        who = "another process"
        if {"user", "host", "pid"} <= holder.keys():
            who = f"process {holder['pid']} of {holder['user']} on {holder['host']}"[:200]
        return ExportError(
            f"{self._out}: {who} is exporting into it", hint="wait until it has ended, or give another folder"
        )

    def _say(self) -> None:
        assert self._lock is not None
        with suppress(KeyError, OSError):  # a user without a name
            os.ftruncate(self._lock, 0)
            said = {"user": getpass.getuser(), "host": socket.gethostname(), "pid": os.getpid()}
            os.pwrite(self._lock, json.dumps({**said, "since": time.time()}).encode(), 0)

    def _clear(self) -> None:
        """Clear away what a killed export left."""
        for name in left_in(self.folder, self._marker):
            if name not in (self._marker, _DONE):
                self.folder.remove(name)


class FolderClaim(Claim):
    """The right to put a whole export into a folder, in the place of an earlier one.

    Raises:
        ExportError: The folder holds something else, cannot be written, or another export is written
            into it now.
    """

    def __enter__(self) -> Self:
        if self._out.exists():
            check_free(self._out)
        super().__enter__()
        try:
            check_free(self._out)
        except BaseException:
            super().__exit__(None, None, None)
            raise
        return self

    def commit(self) -> None:
        """Put what was written in its place; its manifest has to be there.

        Raises:
            ExportError: A file that is not of the earlier export stands where one has to go, or it cannot
                be written. Where only part could be put in its place, the next export does the rest.
        """
        with write_errors(self._out):
            self._check_places()
            self.staging.sync()
            self.folder.rename(self.staging.path.name, self.folder, _DONE)
            self._put_in_place()

    def _clear(self) -> None:
        super()._clear()
        if self.folder.kind(_DONE) is not None:
            self._put_in_place()

    def _check_places(self) -> None:
        known = names_of(manifest_in(self.folder))
        for name in self.staging.names():
            if self.folder.kind(name) is not None and name not in known:
                raise ExportError(
                    f"{self._out / name} is not of the export that the folder holds",
                    hint="move it away, or give another folder",
                )

    def _put_in_place(self) -> None:
        """Exchange the exports. Each step can be done again: a kill in between loses nothing."""
        with self.folder.inside(_DONE, make=False) as done:
            new = manifest_in(done)
            if new is not None:
                if done.kind(_EARLIER) is None and self.folder.kind(MANIFEST) is not None:
                    # First, so that no manifest ever stands beside files that it does not describe.
                    self.folder.rename(MANIFEST, done, _EARLIER)
                earlier = names_of(_read(done, _EARLIER))
                for name in earlier - names_of(new) - {MEDIA}:
                    self.folder.remove(name)
                if MEDIA in earlier and done.kind(_OLD_MEDIA) is None and self._media_are_old(done):
                    self.folder.rename(MEDIA, done, _OLD_MEDIA)
                for name in done.names():
                    if name not in (MANIFEST, _EARLIER, _OLD_MEDIA):
                        done.rename(name, self.folder)
                self.folder.sync()
                done.rename(MANIFEST, self.folder)
                self.folder.sync()
        self.folder.remove(_DONE)

    def _media_are_old(self, done: Folder) -> bool:
        """Whether the media in the folder are the earlier export's still."""
        if self.folder.kind(MEDIA) is None:
            return False
        return done.kind(MEDIA) is not None or MEDIA not in names_of(manifest_in(done))


def check_free(out: Path) -> None:
    """Refuse a folder that is there and holds something else than exports of ours.

    Raises:
        ExportError: It does, or cannot be read.
    """
    try:
        with Folder.at(out, make=False) as folder:
            left = left_in(folder)
            # A complete one that was not put in its place yet says that the rest is ours.
            ours = manifest_in(folder) is not None or _DONE in left
            strangers = [name for name in folder.names() if name not in left and not name.endswith(".partial")]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExportError(f"{out}: cannot be used ({error.strerror})", hint="give another folder") from error
    if strangers and not ours:
        raise ExportError(
            f"{out} is not empty and holds no export of Winnow's", hint="give an empty folder, or delete what is in it"
        )


def left_in(folder: Folder, marker: str = MARKER) -> list[str]:
    """The marker and what else an export makes beside its files, if there is any."""
    made = re.compile(rf"{re.escape(marker)}(-[0-9a-f]{{16}})?")
    names = folder.names()
    # Nobody but an export makes the marker, and it goes last.
    if marker not in names:
        return []
    return [name for name in names if made.fullmatch(name) or (marker, name) == (MARKER, _DONE)]


def manifest_in(folder: Folder) -> dict[str, Any] | None:
    """The manifest of a complete export of ours; ``None`` where there is none."""
    found = _read(folder, MANIFEST)
    return found if found.get("made_by") == MADE_BY else None


def media_in(manifest: Mapping[str, Any]) -> bool:
    """Whether an export has a folder of media."""
    if "media" in manifest:
        return bool(manifest["media"])
    # An older Winnow's does not say.
    made = FORMATS.known(manifest.get("format", ""))
    return bool(manifest.get("bundle") or (made and made.frames))


def names_of(manifest: Mapping[str, Any] | None) -> set[str]:
    """What an export consists of: its files, its manifest, and the folder of media where it has one."""
    if manifest is None:
        return set()
    files = manifest.get("files")
    entries: Iterable[Any] = files if isinstance(files, list) else ()
    names = {one.get("name") for one in entries if isinstance(one, dict)}
    found = {name for name in names if isinstance(name, str) and Path(name).name == name}
    return found | {MANIFEST} | ({MEDIA} if media_in(manifest) else set())


def _read(folder: Folder, name: str) -> dict[str, Any]:
    if folder.kind(name) is not Kind.FILE:
        return {}
    with folder.reading(name) as stream:
        return _mapping(stream.read(_LIMIT))


def _mapping(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
