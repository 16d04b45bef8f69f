"""What this machine and interpreter have, asked without importing anything heavy."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path


def missing(*packages: str) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def has_gpu() -> bool:
    """Whether an NVIDIA GPU is there."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None
