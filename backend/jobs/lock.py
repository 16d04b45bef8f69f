"""One supervisor for a workspace: an advisory lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from backend.files import make_folder, open_lock

_POLL_S = 0.02


class SupervisorLock:
    """The lock on ``<folder>/supervisor.lock``. The kernel releases it also after ``kill -9``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "supervisor.lock"
        self._file: int | None = None

    def acquire(self, *, wait: float = 0.0) -> bool:
        """Take the lock, within so many seconds; whether it is ours now."""
        make_folder(self.path.parent)
        descriptor = open_lock(self.path)
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(_POLL_S)
            else:
                self._file = descriptor
                return True

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def is_held(self) -> bool:
        """Whether some process supervises the workspace. Takes a shared lock for an instant."""
        try:
            descriptor = open_lock(self.path, make=False)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def still_there(self) -> bool:
        """Whether our lock file is still the one at its path: the workspace was not deleted."""
        if self._file is None:
            return False
        try:
            return self.path.stat().st_ino == os.fstat(self._file).st_ino
        except FileNotFoundError:
            return False
