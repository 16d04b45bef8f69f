"""What is written down of each step: a line of JSON, and scalars for TensorBoard where it is installed."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

from backend.domain.json_text import load_json
from backend.files import make_folder, open_appending, write_whole
from backend.training.base import Metric
from backend.training.folder import METRICS, TENSORBOARD

log = logging.getLogger(__name__)

_TAGS = {
    "loss": "train/loss",
    "learning_rate": "train/lr",
    "samples_per_s": "train/samples_per_s",
    "validation_loss": "eval/loss",
}


class Journal:
    """Appends to a training's metrics.

    Args:
        done: Steps of the checkpoint that is gone on from; what was written after it happens again,
            and is taken out.
    """

    def __init__(self, folder: Path, done: int) -> None:
        path = folder / METRICS
        before = [metric for metric in read_metrics(folder) if metric.step <= done]
        write_whole(path, "".join(_line(metric) for metric in before))
        self._file = open_appending(path)
        make_folder(folder / TENSORBOARD, below=folder)
        self._board = _board(folder / TENSORBOARD, done)

    def write(self, metric: Metric) -> None:
        """Add one step."""
        self._file.write(_line(metric).encode())
        self._file.flush()
        if self._board is not None:
            for name, tag in _TAGS.items():
                value = getattr(metric, name)
                if value is not None:
                    self._board.add_scalar(tag, value, metric.step)
            self._board.flush()

    def close(self) -> None:
        """Close both files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_metrics(folder: Path) -> list[Metric]:
    """Everything in a training's ``metrics.jsonl``; a line that is cut off is left out."""
    found: list[Metric] = []
    try:
        with (folder / METRICS).open(encoding="utf-8") as stream:
            for line in stream:
                try:
                    found.append(Metric(**load_json(line)))
                except (ValueError, TypeError):
                    continue
    except FileNotFoundError:
        pass
    return found


def _line(metric: Metric) -> str:
    values = {name: getattr(metric, name) for name in Metric.__dataclass_fields__}
    values["time"] = values["time"] or time.time()
    return json.dumps({name: value for name, value in values.items() if value is not None}) + "\n"


def _board(folder: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("tensorboard is not installed; metrics go to %s alone", METRICS)
        return None
    return SummaryWriter(str(folder), purge_step=done + 1 if done else None)
