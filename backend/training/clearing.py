"""Deleting the output folder of a training that has ended."""

from __future__ import annotations

import shutil
from pathlib import Path

from backend.domain.jobs import OPEN
from backend.errors import TrainingError
from backend.store.database import Database
from backend.store.runs import RunRow, Runs
from backend.store.trainings import TrainingRow, Trainings
from backend.training.folder import owned_by


def clear_folder(database: Database, row: TrainingRow, owner: str) -> None:
    """Delete a training's output folder, so that it can be used again.

    Args:
        owner: Whose the folder has to be, as its claim says it.

    Raises:
        TrainingError: The training is still going, the folder is not its own, or a run or another
            training that is open has one of its checkpoints for a model.
    """
    if row.status in OPEN:
        raise TrainingError(f"training {row.id} is {row.status}", hint="stop it first")
    folder = Path(row.output_dir)
    if not owned_by(folder, owner):
        raise TrainingError(
            f"{folder} is not the folder of training {row.id}",
            hint="it was cleared before, or holds something else now; nothing was deleted",
        )
    _refuse_while_used(database, folder)
    shutil.rmtree(folder)


def _refuse_while_used(database: Database, folder: Path) -> None:
    """A queued job loads its model later, and one that goes may load it again."""
    stops = {"run": "winnow run cancel", "training": "winnow train stop"}
    jobs: list[tuple[str, RunRow | TrainingRow]] = [
        *(("run", run) for run in Runs(database).list()),
        *(("training", training) for training in Trainings(database).list()),
    ]
    for kind, job in jobs:
        if job.status in OPEN and _lies_in(job.model, folder):
            raise TrainingError(
                f"{kind} {job.id}, which is {job.status}, uses {job.model}",
                hint=f"wait until it has ended, or `{stops[kind]} {job.id}`",
            )


def _lies_in(model: str, folder: Path) -> bool:
    """Whether a job's model is in a folder; folders are stored as absolute paths, hub names are not."""
    return Path(model).is_absolute() and Path(model).resolve().is_relative_to(folder.resolve())
