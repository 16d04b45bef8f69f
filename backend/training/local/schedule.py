"""Which rows and which learning rate each optimizer step has: functions of the spec and the step."""

from __future__ import annotations

import math
import random

from backend.training.spec import TrainingSpec

MIN_LR_SHARE = 0.1
"""Where the cosine ends: LightRFT's ``cosine_with_min_lr`` ends there too."""


def steps_per_epoch(spec: TrainingSpec, rows: int) -> int:
    """The last batch of an epoch may be smaller than the others; no row is left out."""
    return math.ceil(rows / spec.train_batch_size)


def total_steps(spec: TrainingSpec, rows: int) -> int:
    """Optimizer steps of the whole training."""
    steps = steps_per_epoch(spec, rows) * spec.max_epochs
    return min(steps, spec.max_steps) if spec.max_steps else steps


class Batches:
    """The rows of each step; one epoch's order is kept."""

    def __init__(self, spec: TrainingSpec, rows: int) -> None:
        self._spec = spec
        self._rows = rows
        self._epoch: int | None = None
        self._order: list[int] = []

    def rows_of(self, step: int) -> list[int]:
        """Row numbers of a step, counted from 0."""
        epoch, within = divmod(step, steps_per_epoch(self._spec, self._rows))
        if epoch != self._epoch:
            self._order = list(range(self._rows))
            random.Random(f"{self._spec.seed}:{epoch}").shuffle(self._order)
            self._epoch = epoch
        size = self._spec.train_batch_size
        return self._order[within * size : (within + 1) * size]


def learning_rate_at(spec: TrainingSpec, step: int, steps: int) -> float:
    """Linear rise over the warm-up, then a cosine to a tenth."""
    peak = spec.actor_learning_rate
    warmup = math.ceil(steps * spec.lr_warmup_ratio)
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (MIN_LR_SHARE + (1 - MIN_LR_SHARE) * 0.5 * (1 + math.cos(math.pi * done)))
