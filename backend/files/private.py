"""Folders whose content is for their owner alone, or for one group, whatever the umask says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

OWNER, GROUP = 0o700, 0o2770
"""Modes of a private folder and of one that a group shares; its files get the same without ``x``."""

_kept: dict[str, int] = {}


def keep_private(folder: Path) -> None:
    """From now on this process makes what lies below ``folder`` as private as a workspace is.

    Args:
        folder: A workspace's. One that only its group may enter besides its owner is shared with that
            group. Where it belongs to somebody else and is not shared, the umask goes on deciding: they
            could not read what we make.
    """
    found = folder.stat()
    shared = stat.S_IMODE(found.st_mode) & 0o077 == 0o070
    if shared or found.st_uid == os.geteuid():
        _kept[os.path.realpath(folder)] = GROUP if shared else OWNER


def mode_below(path: Path) -> int | None:
    """The mode of folders in ``path``; ``None`` where the umask decides."""
    real = os.path.realpath(path)
    for folder, mode in _kept.items():
        if real == folder or real.startswith(folder + os.sep):
            return mode
    return None


def narrow_umask(path: Path) -> None:
    """Have what others' libraries make in this process, and what it starts, be as private as ``path``.

    Does nothing where the umask decides.
    """
    mode = mode_below(path)
    if mode is not None:
        os.umask(0o777 & ~mode)


def of_file(mode: int | None) -> int:
    """The mode of a file in a folder of such a mode."""
    return 0o666 if mode is None else mode & 0o666


def apply(descriptor: int, mode: int | None, *, folder: bool = False) -> None:
    """Give what was just made the mode of its place, of which the umask took something away.

    Args:
        mode: As :func:`mode_below` says it.
    """
    if mode is not None:
        os.fchmod(descriptor, mode if folder else of_file(mode))
