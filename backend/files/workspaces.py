"""A workspace's folder: for its owner alone, or for one group, whatever the umask says."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import stat
from pathlib import Path

from backend.files.folders import Folder, Kind, make_folder
from backend.files.private import GROUP, OWNER, keep_private

log = logging.getLogger(__name__)

_OURS = (
    "winnow.db",
    "winnow.db-wal",
    "winnow.db-shm",
    "winnow.db-journal",
    "secret.key",
    "supervisor.lock",
    "supervisor.log",
    "logs",
    "cache",
    "exports",
    "trainings",
    "loops",
    "demo",
    ".packages",
)
"""What Winnow makes in a workspace. All else in the folder is left as it is."""


def make_private(folder: Path, group: int | None = None) -> None:
    """Make a workspace's folder, or narrow one that is open to others, with what Winnow made in it.

    One that belongs to somebody else is left as it is, and so is a place that others need: a home, the
    root, a folder with a sticky bit such as ``/tmp``. From now on this process makes all in it private.

    Args:
        group: The id of the group that shares the workspace. One that is shared already stays so.

    Raises:
        OSError: It cannot be made, or not be given to the group.
    """
    if not folder.exists():
        make_folder(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(OWNER)
    found = folder.stat()
    before = stat.S_IMODE(found.st_mode)
    wanted = GROUP if group is not None or before == GROUP else OWNER
    moved = group is not None and found.st_gid != group
    if (before != wanted or moved) and found.st_uid == os.geteuid() and not _needed(folder, before):
        try:
            _change(folder, wanted, group)
        except OSError:
            # One on a disk that cannot be written is looked at as it is.
            if group is not None:
                raise
        if stat.S_IMODE(folder.stat().st_mode) != before and before & 0o077 & ~wanted:
            whose = "its group alone" if wanted == GROUP else "its owner alone"
            log.warning("%s was open to others (%04o), and is for %s now", folder, before, whose)
    keep_private(folder)


def access_of(folder: Path) -> tuple[str, str | None]:
    """A workspace's mode in octal digits, and a warning where others can look into it."""
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o007 == 0 and mode & 0o070 in (0, 0o070):
        return f"{mode:04o}", None
    owner = str(found.st_uid)
    with contextlib.suppress(KeyError):
        owner = pwd.getpwuid(found.st_uid).pw_name
    return f"{mode:04o}", (
        f"the workspace is open to others ({mode:04o}) and belongs to {owner}, who can narrow it: chmod 700"
    )


def _needed(folder: Path, mode: int) -> bool:
    """Whether others need to get through a folder that somebody took for a workspace."""
    real = folder.resolve()
    return bool(mode & stat.S_ISVTX) or real in (Path("/"), Path.home().resolve())


def _change(path: Path, mode: int, group: int | None) -> None:
    # The folder itself first: nobody gets through it while the rest is gone through.
    with Folder.at(path, make=False) as folder:
        if group is not None:
            os.fchown(folder.descriptor, -1, group)
        os.fchmod(folder.descriptor, mode)
        for name in _OURS:
            _change_inside(folder, name, mode, group)


def _change_inside(folder: Folder, name: str, mode: int, group: int | None) -> None:
    # What belongs to somebody else stays as it is, and so does what goes away meanwhile.
    with contextlib.suppress(OSError):
        kind = folder.kind(name)
        if kind is Kind.FOLDER:
            with folder.inside(name, make=False) as inside:
                _set(inside.descriptor, mode, group)
                for one in inside.names():
                    _change_inside(inside, one, mode, group)
        elif kind is Kind.FILE:
            descriptor = folder.open(name)
            try:
                own = stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o700
                _set(descriptor, own | (own >> 3 if mode == GROUP else 0), group)
            finally:
                os.close(descriptor)


def _set(descriptor: int, mode: int, group: int | None) -> None:
    if group is not None:
        os.fchown(descriptor, -1, group)
    os.fchmod(descriptor, mode)
