"""Looking at a training: what it was asked to do, its curves, checkpoints, evaluations and log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from backend.errors import TrainingError
from backend.store.trainings import EvaluationRow, TrainingRow
from backend.training.base import Checkpoint, Metric, Tools
from backend.training.first_losses import LOOKED_AT, too_high
from backend.training.folder import owned_by
from backend.training.registry import load_trainer
from backend.training.spec import TrainingSpec

CURVE_POINTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that is shown of one training; times are UTC seconds since the epoch.

    Attributes:
        metrics: Thinned to at most :data:`CURVE_POINTS`, the last one always among them.
        checkpoints: Oldest first.
        warning: One line where the first losses are not those of inference.
    """

    row: TrainingRow
    spec: TrainingSpec
    metrics: Sequence[Metric]
    checkpoints: Sequence[Checkpoint]
    evaluations: Sequence[EvaluationRow]
    warning: str | None = None

    @property
    def best(self) -> Checkpoint | None:
        """The checkpoint to judge with: the final one, else the newest that a judge loads from."""
        usable = [checkpoint for checkpoint in self.checkpoints if checkpoint.judge]
        return usable[-1] if usable else None


def read_view(
    row: TrainingRow,
    evaluations: Sequence[EvaluationRow],
    *,
    tools: Tools,
    owner: str,
    points: int,
    expected: Callable[[TrainingSpec], float | None] = lambda _spec: None,
) -> View:
    """One training as its row and its folder tell it.

    Args:
        owner: Whose the output folder has to be; another's says nothing of this training.
        points: Of the curves, at most.
        expected: Nats a token that the texts of a spec's sets cost at inference, where that is known.

    Raises:
        TrainingError: Its spec is one that this version cannot read.
    """
    spec, folder = spec_of(row), Path(row.output_dir)
    trainer = load_trainer(row.trainer, tools)
    mine = owned_by(folder, owner)
    metrics = trainer.metrics(folder) if mine else ()
    return View(
        row=row,
        spec=spec,
        metrics=thinned(metrics, points),
        warning=too_high(metrics[:LOOKED_AT], expected(spec)) if metrics else None,
        checkpoints=trainer.checkpoints(folder) if mine else (),
        evaluations=evaluations,
    )


def spec_of(row: TrainingRow) -> TrainingSpec:
    """What a training was asked to do.

    Raises:
        TrainingError: Another version of Winnow wrote it, and this one cannot read it.
    """
    try:
        return TrainingSpec.model_validate(row.spec)
    except ValidationError as error:
        raise TrainingError(
            f"training {row.id} was started by another version of Winnow; its settings cannot be read",
            hint=f"what it made is in {row.output_dir}",
        ) from error


def thinned(metrics: Sequence[Metric], points: int) -> list[Metric]:
    """Every so many-th point of a long curve; validations and the last point always stay."""
    stride = max(1, -(-len(metrics) // points))
    last = len(metrics) - 1
    return [
        metric
        for number, metric in enumerate(metrics)
        if number % stride == 0 or number == last or metric.validation_loss is not None
    ]


def log_tail(path: Path, size: int) -> str:
    """The end of a log, at most so many bytes."""
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - size))
        return stream.read().decode("utf-8", "replace")
