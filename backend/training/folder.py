"""A training's output folder: what lies where, who owns it, and that nobody else trains into it.

::

    training.json            the spec; written first, and says whose folder it is
    training.lock            held by every process of ours that trains into it
    stop                     there when the local trainer is asked to save and end
    data/set-ID/             the export of each set, with its manifest
    data/media.json          size and time of each medium when the training began
    metrics.jsonl            one line a step           (local)
    tensorboard/             event files
    checkpoints/step-N/      whole model folders       (local)
    checkpoints/global_stepN DeepSpeed's shards        (lightrft: it deletes the oldest sub-folder
                             of this one, so nothing else lies in it)
    model/                   what the trainer makes    (lightrft, with eval/; command)
    final_checkpoint/        the finished judge        (local; of lightrft in model/)
    failure.json             why the trainer's command stopped, where it could say
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.errors import TrainingError
from backend.files import make_folder, open_lock, write_json
from backend.hints import Hint
from backend.training.spec import TrainingSpec

CLAIM = "training.json"
METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"
CHECKPOINTS = "checkpoints"
FINAL = "final_checkpoint"
FAILURE = "failure.json"
STOP = "stop"
_LOCK = "training.lock"
_ANOTHER = Hint("give another {output_dir}")


def write_whole(path: Path, value: Any, *, below: Path | None = None) -> None:
    """A small JSON document that appears whole.

    Args:
        below: The training's folder, below which no link is followed.

    Raises:
        TrainingError: It cannot be written.
    """
    try:
        write_json(path, value, below=below)
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be written ({error.strerror})", hint="free some space, or give another output folder"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none to read."""
    try:
        if not path.is_file():  # a FIFO would keep us waiting
            return {}
        value = load_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def find(folder: Path, pattern: str) -> Iterator[Path]:
    """What lies anywhere below a folder under such a name, in no order.

    Unlike ``Path.rglob``, it passes over what is deleted meanwhile: trainers delete old checkpoints
    whenever they like.
    """
    for place, folders, files in os.walk(folder):
        for name in fnmatch.filter([*folders, *files], pattern):
            yield Path(place, name)


def read_spec(folder: Path) -> TrainingSpec:
    """The spec that the folder was claimed with.

    Raises:
        TrainingError: It was not.
    """
    claim = read_json(folder / CLAIM)
    if "spec" not in claim:
        raise TrainingError(f"{folder} holds no training", hint=Hint("start one with {START_TRAINING}"))
    return TrainingSpec.model_validate(claim["spec"])


def owner_of(workspace: Path, training_id: int) -> str:
    """Whose a training's output folder is, as its claim says it."""
    return f"training {training_id} of {workspace.resolve()}"


def owned_by(folder: Path, owner: str) -> bool:
    """Whether the folder is claimed by that owner."""
    return bool(read_json(folder / CLAIM).get("owner") == owner)


def check_free(folder: Path, owner: str | None = None) -> None:
    """Refuse a folder that holds something else.

    Args:
        owner: The training that may go on in it.

    Raises:
        TrainingError: It is somebody else's, or cannot be used.
    """
    hint = Hint("give another {output_dir}, or delete what is in it")
    try:
        inside = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        inside = []
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be used ({error.strerror})", hint=hint) from error
    known = read_json(folder / CLAIM).get("owner")
    if known is not None and known == owner:
        return
    if known is not None:
        raise TrainingError(f"{folder} holds another training ({known})", hint=hint)
    if inside:
        raise TrainingError(f"{folder} is not empty and holds no training", hint=hint)
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        raise TrainingError(f"{folder}: cannot be used (no permission to write into {above})", hint=_ANOTHER)


def claim(folder: Path, owner: str, spec: TrainingSpec) -> None:
    """Make the folder this training's. To claim it again is harmless.

    Raises:
        TrainingError: It is somebody else's, or cannot be written.
    """
    check_free(folder, owner)
    try:
        make_folder(folder)
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be made ({error.strerror})", hint=_ANOTHER) from error
    write_whole(folder / CLAIM, {"owner": owner, "spec": spec.model_dump(mode="json")})


@contextlib.contextmanager
def held(folder: Path) -> Iterator[int]:
    """Hold the folder, to begin training into it.

    Who begins must be alone for a moment; then the lock is shared with what trains there, see
    :func:`joined`. So it is held as long as any of them lives, whoever was killed.

    Returns:
        The lock's descriptor. A child that gets it holds the folder too.

    Raises:
        TrainingError: Another process trains into it.
    """
    with _lock(folder) as descriptor:
        _take(folder, descriptor, fcntl.LOCK_EX)
        _take(folder, descriptor, fcntl.LOCK_SH)
        yield descriptor


@contextlib.contextmanager
def joined(folder: Path) -> Iterator[None]:
    """Hold the folder together with the other processes of the same training.

    Raises:
        TrainingError: Another training begins in it at this moment.
    """
    with _lock(folder) as descriptor:
        _take(folder, descriptor, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[int]:
    try:
        descriptor = open_lock(folder / _LOCK)
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be used ({error.strerror})", hint=_ANOTHER) from error
    try:
        # The kernel lets go of it also after kill -9.
        yield descriptor
    finally:
        os.close(descriptor)


def _take(folder: Path, descriptor: int, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TrainingError(
            f"{folder} is in use: another process trains into it",
            hint=Hint("wait until it has ended, or stop it with {STOP_TRAINING}"),
        ) from error
