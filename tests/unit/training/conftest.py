"""A small workspace with frozen sets, and output folders in which a training can begin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from training_folders import SMALL, Prepare

from backend.trainer import export_sets
from backend.training.folder import claim
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Set ``mixed`` has images (run 1) and videos (run 3), ``images`` images in both orders,
    ``clips`` videos."""
    opened = build_workspace(tmp_path_factory.mktemp("training"), images=10, videos=4)
    opened.freeze("mixed", [1, 3])
    opened.freeze("images", [2])
    opened.freeze("clips", [3])
    yield opened
    opened.close()


@pytest.fixture
def prepare(space: Workspace, judge_folder: Path, tmp_path: Path) -> Prepare:
    """``prepare(name, …)``: an output folder with its data, and the spec; on the CPU and small."""

    def make(name: str = "out", *, sets: tuple[str, ...] = ("mixed",), **values: Any) -> tuple[Path, TrainingSpec]:
        given = {
            "trainer": "local",
            "model": str(judge_folder),
            "output_dir": str(tmp_path / name),
            "device": "cpu",
            "max_pixels": SMALL,
            "fps": 1.0,
            "train_batch_size": 4,
            "actor_learning_rate": 1e-3,
            **values,
        }
        spec = space.training_launcher.spec(sets, **given)
        folder = tmp_path / name
        claim(folder, name, spec)
        export_sets(space.database, spec, folder)
        return folder, spec

    return make
