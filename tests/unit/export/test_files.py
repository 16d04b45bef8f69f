"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from backend.errors import ExportError
from backend.export.files import ExportFile, JsonArray, JsonLines, described
from backend.files import Folder, whole


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": "ü"}, {"b": [None, 1.5]}]])
def test_an_array_of_any_length_is_json(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    with JsonArray(tmp_path / "a.json") as file:
        for row in rows:
            file.add(row)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == rows
    with Folder.at(tmp_path) as folder:
        said = described(folder, "a.json", file.rows)
    assert (said["rows"], said["bytes"]) == (len(rows), (tmp_path / "a.json").stat().st_size)
    assert said["sha256"] == hashlib.sha256((tmp_path / "a.json").read_bytes()).hexdigest()


def test_a_name_that_is_no_text_keeps_its_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    with JsonLines(tmp_path / "a.jsonl") as file:
        file.add({"images": [name]})
    assert b"caf\xe9.png" in (tmp_path / "a.jsonl").read_bytes()


def test_an_error_in_the_middle_leaves_what_was_there_before(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), JsonArray(target) as file:
        file.add({"a": 1})
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("bytes_written", [1 << 20, 3])
def test_a_device_that_is_full_is_told_in_one_line_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_written: int
) -> None:
    # The kernel's own full device, in the place of the file that has no name yet. Few bytes stay in
    # the buffer until the file is closed.
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    monkeypatch.setattr(whole, "_unnamed", lambda *_: os.open("/dev/full", os.O_RDWR))
    with pytest.raises(ExportError, match="No space left") as caught, ExportFile(tmp_path / "a.json") as file:
        file.write(b"x" * bytes_written)
    assert caught.value.hint == "free some space and export again"
    assert list(tmp_path.iterdir()) == []
