"""What tests of trainings name in their signatures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.training.spec import TrainingSpec

SMALL = 56 * 56
"""Pixels that make a picture four tokens."""

Prepare = Callable[..., tuple[Path, TrainingSpec]]


def save_checkout(home: Path, *, dataset: str, script: str) -> Path:
    """A folder laid out as a checkout of LightRFT, with these two modules' texts in it."""
    (home / "lightrft/datasets").mkdir(parents=True)
    (home / "examples/grm_training").mkdir(parents=True)
    for folder in ("lightrft", "lightrft/datasets"):
        (home / folder / "__init__.py").touch()
    (home / "lightrft/datasets/grm_dataset.py").write_text(dataset)
    (home / "examples/grm_training/train_grm_vl.py").write_text(script)
    return home
