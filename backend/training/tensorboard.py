"""Scalars from TensorBoard's event files, without TensorBoard.

A file is a sequence of records: length (uint64), checksum, data, checksum (little endian; TensorFlow's
``core/lib/io/record_writer.h``). The data is a protobuf message ``Event`` with ``wall_time`` (field 1,
double), ``step`` (2, int64) and ``summary`` (5), whose ``value`` (1) has ``tag`` (1), ``simple_value``
(2, float) and ``tensor`` (8) (``core/framework/summary.proto``). Only those are read, so that a
dashboard needs none of TensorBoard's packages; a record that is cut off ends the file.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.training.base import Metric
from backend.training.folder import find

_MAX_RECORD = 64 * 2**20
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
    """Every scalar of every event file anywhere below a folder, file by file."""
    found: list[Scalar] = []
    for path in sorted(find(folder, "events.out.tfevents.*")):
        # It may be gone since, or no event file.
        with contextlib.suppress(OSError, struct.error, IndexError, UnicodeDecodeError):
            for data in _records(path):
                found += _event(data)
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


def _records(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while True:
            head = stream.read(12)
            if len(head) < 12:
                return
            (length,) = struct.unpack("<Q", head[:8])
            if length > _MAX_RECORD:
                return
            data = stream.read(length + 4)
            if len(data) < length + 4:
                return
            yield data[:length]


def _event(data: bytes) -> list[Scalar]:
    time, step, found = 0.0, 0, []
    summaries = []
    for field, value in _fields(data):
        if field == 1:
            time = struct.unpack("<d", value)[0]
        elif field == 2:
            step = value
        elif field == 5:
            summaries.append(value)
    for summary in summaries:
        for field, value in _fields(summary):
            if field == 1:
                tag, number = _value(value)
                if tag and number is not None:
                    found.append(Scalar(tag, step, number, time))
    return found


def _value(data: bytes) -> tuple[str, float | None]:
    tag, number = "", None
    for field, value in _fields(data):
        if field == 1:
            tag = value.decode("utf-8")
        elif field == 2:
            number = struct.unpack("<f", value)[0]
        elif field == 8:
            number = _tensor(value)
    return tag, number


def _tensor(data: bytes) -> float | None:
    """The number in a scalar ``TensorProto`` of floats; ``None`` for any other."""
    fields = dict(_fields(data))
    if fields.get(1) != _FLOAT:
        return None
    for field in (4, 5):  # tensor_content, float_val
        value = fields.get(field)
        if isinstance(value, bytes) and len(value) == 4:
            return float(struct.unpack("<f", value)[0])
    return None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: numbers as ``int``, all else as its bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if kind == 2:
            length, position = _varint(data, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise IndexError("no protobuf")
        yield key >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
