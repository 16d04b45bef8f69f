"""A private copy of an SQLite database that can be read but not written.

SQLite cannot open a WAL database in a folder that it may not write, unless another process has it open
just now; and to call the file immutable is wrong as soon as somebody else can write it. So it is copied: by
SQLite itself while somebody writes, else as the files lie there, which nobody may change meanwhile.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from urllib.parse import quote

from backend.errors import StoreError
from backend.store.database import sqlite_driver

_TRIES = 3


def writable(file: Path) -> bool:
    """Whether a database can be written there, and its files beside it."""
    return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def copy_database(source: Path, target: Path) -> None:
    """Copy a database whole, as it was at one moment.

    Raises:
        StoreError: There is none, it cannot be read, it changes all the time, or the disk is full.
    """
    try:
        for _ in range(_TRIES):
            if _by_sqlite(source, target) or _by_files(source, target):
                return
            time.sleep(0.2)
    except OSError as error:
        raise StoreError(
            f"{source}: cannot be copied for reading ({error.strerror})",
            hint="a read-only workspace is looked at in a copy, in TMPDIR",
        ) from error
    raise StoreError(f"{source}: it is being written just now", hint="try again in a moment")


def _by_sqlite(source: Path, target: Path) -> bool:
    """Where a writer has it open, its shared memory can be read too, and with it the newest rows."""
    driver = sqlite_driver()
    if not _beside(source, "-shm").exists():
        return False
    opened = copied = None
    try:
        opened = driver.connect(f"file:{quote(str(source))}?mode=ro", uri=True)
        copied = driver.connect(str(target))
        opened.backup(copied)
        return True
    except driver.Error:
        return False
    finally:
        for one in (opened, copied):
            if one is not None:
                one.close()


def _by_files(source: Path, target: Path) -> bool:
    names = ("", "-wal")
    before = [_state(_beside(source, name)) for name in ("", "-wal", "-shm")]
    for name in names:
        _beside(target, name).unlink(missing_ok=True)
        if name == "" or _beside(source, name).exists():
            shutil.copyfile(_beside(source, name), _beside(target, name))
    return before == [_state(_beside(source, name)) for name in ("", "-wal", "-shm")]


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
