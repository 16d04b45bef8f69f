"""Scalars from TensorBoard's event files, by TensorBoard's own reader."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.training.base import Metric
from backend.training.folder import find

_FLOAT = 1  # DT_FLOAT of TensorProto.dtype

_NAMES = {
    "loss": "loss",
    "lr": "learning_rate",
    "learning_rate": "learning_rate",
    "samples_per_s": "samples_per_s",
    "train_samples_per_second": "samples_per_s",
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value of one curve."""

    tag: str
    step: int
    value: float
    time: float


def read_scalars(folder: Path) -> list[Scalar]:
    """Every scalar of every event file anywhere below a folder, file by file. A file ends where a record
    is cut off, or is no record."""
    found: list[Scalar] = []
    for path in sorted(find(folder, "events.out.tfevents.*")):
        if path.is_file():
            found += _scalars(path)
    return found


def read_metrics(folder: Path) -> list[Metric]:
    """The scalars as metrics: ``train/loss``, ``train/lr`` and what other trainers call them.

    A step that was done again after a resume counts once, as it was done last.
    """
    steps: dict[int, dict[str, Any]] = {}
    for scalar in read_scalars(folder):
        group, _, last = scalar.tag.rpartition("/")
        name = _NAMES.get(last)
        held_out = name == "loss" and ("eval" in group or "val" in group)
        if held_out or last == "eval_loss":
            name = "validation_loss"
        if name is not None:
            steps.setdefault(scalar.step, {}).update({name: scalar.value, "time": scalar.time})
    return [Metric(step=step, **values) for step, values in sorted(steps.items())]


def _scalars(path: Path) -> Iterator[Scalar]:
    # Imported here, because it takes a second.
    from google.protobuf.message import DecodeError
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    from tensorboard.compat.tensorflow_stub.errors import OpError

    # It may be gone since, or no event file.
    with contextlib.suppress(OSError, OpError, DecodeError):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                number = _number(value)
                if value.tag and number is not None:
                    yield Scalar(value.tag, event.step, number, event.wall_time)


def _number(value: Any) -> float | None:
    """The number of a summary's value; ``None`` where it is none, or several."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if value.HasField("tensor") and value.tensor.dtype == _FLOAT:
        from tensorboard.util.tensor_util import make_ndarray

        array = make_ndarray(value.tensor)
        return float(array) if array.size == 1 else None
    return None
