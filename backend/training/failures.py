"""What a trainer's last words mean, and which knob helps."""

from __future__ import annotations

import re
from pathlib import Path

from backend.foreign_text import brief
from backend.hints import Hint
from backend.jobs.reconcile import last_line

_TAIL = 60_000
_MEANINGS: tuple[tuple[re.Pattern[str], str, Hint | str], ...] = (
    (
        re.compile(r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory", re.I),
        "out of GPU memory",
        Hint(
            "lower {micro_train_batch_size}, {max_pixels} or {fps} ({prompt_max_len} too, but under "
            "LightRFT it leaves no row out); or use {lora}, or {zero_stage:3} over more GPUs"
        ),
    ),
    (
        re.compile(r"EADDRINUSE|address already in use", re.I),
        "the port is taken",
        Hint("start another training with another {master_port}"),
    ),
    (
        re.compile(r"The data handler for source \S+ is not implemented"),
        "LightRFT does not know one of the sources",
        "update the checkout that LIGHTRFT_HOME names",
    ),
    (
        re.compile(r"No space left on device|ENOSPC"),
        "the disk is full",
        Hint("free some space, then {RESUME_TRAINING}"),
    ),
)


_RAISED = re.compile(r"^(?:\[rank\d+\]: ?)?((?:\w+\.)*\w*(?:Error|Exception)(?:: .*)?)$", re.M)
_TORCHRUN = "torch.distributed.elastic."


def explain(log: Path, code: int, since: int = 0) -> tuple[str, Hint | str]:
    """One line and a hint about a command that failed, from the end of its log.

    Args:
        since: Bytes of the log that were there before it began.
    """
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(since, stream.tell() - _TAIL))
            tail = stream.read().decode("utf-8", "replace")
    except OSError:
        tail = ""
    for pattern, meaning, hint in _MEANINGS:
        if pattern.search(tail):
            return meaning, hint
    if code < 0:
        return (
            f"the trainer was killed by signal {-code}",
            Hint("the machine may have run out of memory; {RESUME_TRAINING} goes on from the last checkpoint"),
        )
    line = _raised(tail) or last_line(log)
    detail = f": {line}" if line else ""
    return f"the trainer ended with exit code {code}{detail}", "its log says more"


def _raised(tail: str) -> str | None:
    """What was raised, where ``torchrun``'s own report stands below it."""
    if f"{_TORCHRUN}multiprocessing.errors.ChildFailedError" not in tail:
        return None
    found = [line for line in _RAISED.findall(tail) if not line.startswith(_TORCHRUN)]
    return brief(found[-1]) if found else None
