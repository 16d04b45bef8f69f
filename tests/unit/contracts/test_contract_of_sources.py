"""Every source that is registered keeps what a source has to keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.datasets.registry import SOURCES
from tests.unit.contracts.checks import check_source, check_spec


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_sources_example_is_stored_and_keeps_its_winner_in_every_order(name: str, tmp_path: Path) -> None:
    assert SOURCES[name].name == name
    check_source(SOURCES[name], tmp_path)
    check_spec(SOURCES[name], tmp_path)
