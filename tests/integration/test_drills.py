"""The drills in their short form; ``make drills`` runs each for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drills.__main__ import run
from tests.drills.outcome import show

SEED = 1


@pytest.mark.parametrize(
    ("drill", "seconds"), [("kill", 3.0), ("load", 1.0), ("fuzz", 2.0), ("security", 1.5)]
)
def test_a_short_drill_finds_no_broken_promise(drill: str, seconds: float, tmp_path: Path) -> None:
    outcome = run(drill, SEED, seconds, tmp_path / drill)
    show([outcome])
    assert outcome.problems == []
    assert outcome.checked.total() > 0
