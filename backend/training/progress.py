"""How far a training is: what its row in the store says while it goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.training.base import Metric, Trainer
from backend.training.data import data_files
from backend.training.registry import kind_of
from backend.training.spec import TrainingSpec

_WINDOW = 50


def steps_per_epoch(spec: TrainingSpec, rows: int) -> int:
    """Optimizer steps of one pass over so many rows."""
    if kind_of(spec).drops_last:
        return rows // spec.train_batch_size
    return math.ceil(rows / spec.train_batch_size)


def expected_steps(spec: TrainingSpec, folder: Path) -> int:
    """Optimizer steps of a training, from the rows that were exported."""
    rows = sum(file.rows for file in data_files(folder) if not file.validation)
    steps = steps_per_epoch(spec, rows) * spec.max_epochs
    return min(steps, spec.max_steps) if spec.max_steps else steps


def progress_of(spec: TrainingSpec, trainer: Trainer, folder: Path) -> dict[str, Any]:
    """Step, loss, rates and time left; ``diverged`` when the newest loss is no number."""
    metrics = trainer.metrics(folder)
    steps = expected_steps(spec, folder)
    learned = [metric for metric in metrics if metric.loss is not None]
    progress: dict[str, Any] = {"stage": "training", "step": 0, "steps": steps}
    if learned:
        last = learned[-1]
        progress |= {
            "step": last.step,
            "loss": _finite(last.loss),
            "learning_rate": last.learning_rate,
            "samples_per_s": last.samples_per_s,
            "eta_s": _seconds_left(learned[-_WINDOW:], steps),
            "diverged": last.loss is not None and not math.isfinite(last.loss),
        }
    held_out = [metric for metric in metrics if metric.validation_loss is not None]
    if held_out:
        progress["validation_loss"] = _finite(held_out[-1].validation_loss)
    return progress


def _seconds_left(metrics: Sequence[Metric], steps: int) -> float | None:
    first, last = metrics[0], metrics[-1]
    if first.time is None or last.time is None or last.step <= first.step:
        return None
    rate = (last.time - first.time) / (last.step - first.step)
    return round(max(0, steps - last.step) * rate, 1)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
