"""What tests of trainings name in their signatures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.training.spec import TrainingSpec
from tests.integration.lightrft_stand_in import save_stand_in

SMALL = 56 * 56
"""Pixels that make a picture four tokens."""

Prepare = Callable[..., tuple[Path, TrainingSpec]]


def save_checkout(home: Path, *, script: str) -> Path:
    """A stand-in for a checkout of LightRFT with this training script."""
    save_stand_in(home)
    (home / "examples/grm_training/train_grm_vl.py").write_text(script)
    return home
