"""The dataset of a ``winnow prepare``: one for the same files, another for any others."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli.files import _name_of
from backend.curation.sets import check_name
from backend.domain.pairs import MediaKind
from backend.errors import DatasetError


def test_the_same_files_have_the_same_name_and_changed_or_other_ones_another(tmp_path: Path) -> None:
    one, two = tmp_path / "x y" / "prep.json", tmp_path / "z" / "prep.json"
    for file in (one, two):
        file.parent.mkdir()
        file.write_text("[1]")
    spec = f"hpdv3:{one}"
    name = _name_of(MediaKind.IMAGE, spec, None)
    check_name(name)  # the set is called so, too
    assert _name_of(MediaKind.IMAGE, spec, None) == name
    others = {
        name,
        _name_of(MediaKind.IMAGE, f"hpdv3:{two}", None),
        _name_of(MediaKind.IMAGE, f"{spec},hpdv3:{two}", None),
        _name_of(MediaKind.IMAGE, f"pairs:{one}", None),
        _name_of(MediaKind.IMAGE, spec, tmp_path),
        _name_of(MediaKind.VIDEO, spec, None),
    }
    one.write_text("[2]")
    others.add(_name_of(MediaKind.IMAGE, spec, None))
    assert len(others) == 7


def test_a_file_that_is_missing_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.json"):
        _name_of(MediaKind.IMAGE, f"hpdv3:{tmp_path / 'none.json'}", None)
