"""What a job's process is to find in its environment and nobody else may read, such as an API key.

The supervisor that starts a job was itself started by an earlier command, in that one's environment.
So whoever queues a job leaves its variables in a file that only this user can read, and the supervisor
takes them along and deletes the file. They are in no row, no log and no command line.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.errors import StoreError

log = logging.getLogger(__name__)

FOLDER = "handover"
_NAME = re.compile(r"job-(\d+)\.json")
_FORGOTTEN_S = 3600.0


def hand_over(folder: Path, job_id: int, variables: Mapping[str, str]) -> None:
    """Leave variables for a job that is being queued, in the place of any that were left before.

    Args:
        folder: The workspace's.

    Raises:
        StoreError: They cannot be written.
    """
    try:
        with _opened(folder, make=True) as place:
            with suppress(FileNotFoundError):
                os.unlink(_name(job_id), dir_fd=place)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            file = os.open(_name(job_id), flags, 0o600, dir_fd=place)
            with os.fdopen(file, "w", encoding="utf-8") as output:
                json.dump(dict(variables), output)
    except OSError as error:
        raise StoreError(
            f"{folder / FOLDER}: cannot be written ({error.strerror})",
            hint="a run's API key is handed over there; check the folder's permissions",
        ) from error


def take(folder: Path, job_id: int) -> dict[str, str]:
    """What was left for a job; it is there no longer. Empty where nothing was."""
    try:
        with _opened(folder) as place:
            file = os.open(_name(job_id), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=place)
            with os.fdopen(file, encoding="utf-8") as source:
                found = json.load(source)
            os.unlink(_name(job_id), dir_fd=place)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("job %d: what was handed over cannot be read (%s)", job_id, error)
        return {}
    return {str(name): str(value) for name, value in found.items()}


def forget(folder: Path, job_id: int) -> None:
    """Delete what was left for a job that will not start."""
    with suppress(OSError), _opened(folder) as place:
        os.unlink(_name(job_id), dir_fd=place)


def sweep(folder: Path, queued: Collection[int]) -> None:
    """Delete what commands left that were killed before their job was queued.

    Args:
        queued: Jobs that will still take theirs.
    """
    with suppress(OSError), _opened(folder) as place:
        for name in os.listdir(place):  # noqa: PTH208 - of what was opened
            found = _NAME.fullmatch(name)
            old = time.time() - os.stat(name, dir_fd=place).st_mtime > _FORGOTTEN_S
            if found and old and int(found[1]) not in queued:
                os.unlink(name, dir_fd=place)


def _name(job_id: int) -> str:
    return f"job-{job_id}.json"


@contextmanager
def _opened(folder: Path, *, make: bool = False) -> Iterator[int]:
    path = folder / FOLDER
    if make:
        path.mkdir(mode=0o700, exist_ok=True)
    place = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if make:
            # Whatever the umask, and whoever made it.
            os.fchmod(place, 0o700)
        yield place
    finally:
        os.close(place)
