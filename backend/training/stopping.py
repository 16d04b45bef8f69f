"""Ending a trainer's command so that little is lost: how it is asked, and how long it is waited for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from backend.files import write_whole
from backend.hints import Hint
from backend.training.base import Checkpoint, Command, Metric, TrainerKind
from backend.training.folder import STOP

UNBEGUN_GRACE_S = 8.0
"""Before its first whole step there is nothing to save."""

LEAST_GRACE_S = 30.0
MOST_GRACE_S = 300.0
_POLL_S = 0.2
_TERM_S = 5.0


def grace_of(metrics: Sequence[Metric], since: float, now: float) -> float:
    """Seconds that a trainer gets to end what it is at, and to save.

    A step and a checkpoint after it may each take as long as the longest time seen between two steps,
    the one that it is at included; a checkpoint was written within one of them.

    Args:
        since: When its process was started, in seconds since the epoch.
    """
    fresh = [metric for metric in metrics if metric.time is None or metric.time >= since]
    if not fresh:
        return UNBEGUN_GRACE_S
    times = [metric.time for metric in fresh if metric.time is not None]
    if not times:
        return LEAST_GRACE_S
    longest = max(after - before for before, after in pairwise([*times, max(now, times[-1])]))
    return min(MOST_GRACE_S, max(LEAST_GRACE_S, 2 * longest))


def end(
    child: subprocess.Popen[bytes],
    command: Command,
    folder: Path,
    grace: float,
    *,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Ask a trainer's command to end, wait, and end it where it does not.

    Args:
        grace: Seconds that it has to save and to end by itself.
        meanwhile: Called again and again while it is waited for.
    """
    if command.heeds_stop:
        write_whole(folder / STOP, "")
    else:
        child.terminate()
    deadline = time.monotonic() + grace
    while child.poll() is None and time.monotonic() < deadline:
        meanwhile()
        time.sleep(_POLL_S)
    if child.poll() is None:
        kill(child)


def kill(child: subprocess.Popen[bytes]) -> None:
    """End a process without waiting for what it is at."""
    child.terminate()
    try:
        child.wait(_TERM_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def resume_words(training_id: int, trainer: TrainerKind, checkpoints: Sequence[Checkpoint]) -> Hint:
    """From which step a training that was stopped goes on, for a person."""
    steps = [one.step for one in checkpoints if one.step is not None and not one.final]
    if not steps:
        return Hint("there is no checkpoint; {RESUME_TRAINING} begins anew", on=training_id)
    if trainer.by_template:
        return Hint(
            "{RESUME_TRAINING} starts its command again; the newest checkpoint is of step {step}",
            on=training_id,
            step=max(steps),
        )
    return Hint("{RESUME_TRAINING} goes on from step {step}", on=training_id, step=max(steps))
