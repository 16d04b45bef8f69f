"""What tests of trainings name in their signatures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.training.spec import TrainingSpec

SMALL = 56 * 56
"""Pixels that make a picture four tokens."""

Prepare = Callable[..., tuple[Path, TrainingSpec]]
