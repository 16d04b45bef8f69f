"""Installs the examples of tests/unit/extending as a package of somebody else would be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "tests" / "unit" / "extending"
LINES = """
[winnow.policy_rules]
hard_pairs = hard_pairs:HARD_PAIRS
broken = hard_pairs:NOTHING

[winnow.queue_kinds]
least_sure = least_sure:LEAST_SURE
"""
"""What such a package has in its pyproject.toml, under ``project.entry-points``; one of them cannot be loaded."""


def install(folder: Path) -> Path:
    """The examples in a folder that makes them an installed package where it is on the path."""
    info = folder / "examples-1.0.dist-info"
    info.mkdir(parents=True)
    for example in ("hard_pairs.py", "least_sure.py"):
        shutil.copy(EXAMPLES / example, folder)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: examples\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(LINES)
    return folder


def winnow(workspace: Path, *words: object, package: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command, with or without a package installed."""
    path = [str(one) for one in (package, ROOT) if one]
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", "--workspace", str(workspace), *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "240", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
