"""The drills in their short form; ``make drills`` runs each for minutes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.drills.__main__ import DRILLS, run
from tests.drills.outcome import show
from tests.drills.stage import ROOT

SEED = 1


@pytest.mark.parametrize(
    ("drill", "seconds"), [("kill", 3.0), ("load", 1.0), ("fuzz", 2.0), ("security", 1.5)]
)
def test_a_short_drill_finds_no_broken_promise(drill: str, seconds: float, tmp_path: Path) -> None:
    outcome = run(drill, SEED, seconds, tmp_path / drill)
    show([outcome])
    assert outcome.problems == []
    assert outcome.checked.total() > 0


def test_the_page_about_reliability_names_tests_and_drills_that_are_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    files = set(re.findall(r"`((?:tests|benchmarks)/\S+\.py)`", page))
    assert [name for name in files if not (ROOT / name).is_file()] == []
    assert set(re.findall(r"^\| `(\S+)` \| [A-Z]", page, re.MULTILINE)) == set(DRILLS)
