"""What the trainer's process makes of a command and of what it writes."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from training_folders import Prepare

from backend.domain.preflight import Check
from backend.store.trainings import TrainingRow
from backend.trainer import _Watcher
from backend.training.base import Checkpoint, Command, Metric
from backend.training.folder import held
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace


@dataclass(frozen=True)
class Unreadable:
    """A trainer whose metrics cannot be read."""

    name: str = "command"

    def preflight(self, spec: TrainingSpec) -> Sequence[Check]:
        return []

    def command(self, spec: TrainingSpec, folder: Path) -> Command:
        return Command((sys.executable, "-S", "-c", "import time; time.sleep(3)"))

    def metrics(self, folder: Path) -> Sequence[Metric]:
        raise FileNotFoundError(2, "No such file or directory", f"{folder}/checkpoint-1")

    def checkpoints(self, folder: Path) -> Sequence[Checkpoint]:
        return []


def row_of(folder: Path, spec: TrainingSpec) -> TrainingRow:
    return TrainingRow(
        id=9,
        job_id=9,
        trainer=spec.trainer,
        model=spec.model,
        output_dir=str(folder),
        spec=spec.model_dump(mode="json"),
        sets=[],
        progress={},
        status="running",
        error=None,
        hint=None,
        log_path=str(folder / "log"),
        devices="cpu",
        attempt=1,
        created_at=0.0,
        started_at=0.0,
        finished_at=None,
        took_s=None,
    )


def test_a_training_goes_on_when_its_progress_cannot_be_read_and_says_so_once(
    space: Workspace, prepare: Prepare, caplog: pytest.LogCaptureFixture
) -> None:
    folder, spec = prepare(sets=("clips",))
    trainer = Unreadable()
    watcher = _Watcher(space, row_of(folder, spec), spec, trainer, os.getpid())
    with held(folder) as lock, caplog.at_level(logging.WARNING):
        assert watcher.run(trainer.command(spec, folder), lock, threading.Event()) == 0
    said = [record.message for record in caplog.records if "cannot tell how far" in record.message]
    assert len(said) == 1
