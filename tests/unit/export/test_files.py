"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from backend.errors import ExportError
from backend.export.files import JsonArray, JsonLines, WholeFile


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": "ü"}, {"b": [None, 1.5]}]])
def test_an_array_of_any_length_is_json(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    with JsonArray(tmp_path / "a.json") as file:
        for row in rows:
            file.add(row)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == rows
    said = file.describe()
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


def test_a_device_that_is_full_is_told_in_one_line_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel's own full device, in the place of the partial file.
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    opened = Path.open
    monkeypatch.setattr(
        Path, "open",
        lambda self, *a, **k: opened(full if self.name.endswith(".partial") else self, *a, **k),
    )  # fmt: skip
    with (
        pytest.raises(ExportError, match="No space left") as caught,
        WholeFile(tmp_path / "a.json") as file,
    ):
        file.write(b"x" * (1 << 20))
    assert caught.value.hint == "free some space and export again"
    assert not (tmp_path / "a.json").exists()


def test_what_is_only_buffered_when_the_device_is_full_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    opened = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda self, *a, **k: opened(
            Path("/dev/full") if self.name.endswith(".partial") else self, *a, **k
        ),
    )
    with pytest.raises(ExportError, match="No space left"), WholeFile(tmp_path / "a.json") as file:
        file.write(b"few")
    assert not (tmp_path / "a.json").exists()
