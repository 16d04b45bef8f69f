"""Weights that were cut off are told from whole ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.training.weights import INDEX, has_whole_weights


def weights(path: Path, size: int = 64) -> None:
    """A file of weights with one tensor of so many bytes."""
    header = json.dumps({"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))


def cut(path: Path, left: int) -> None:
    path.write_bytes(path.read_bytes()[:left])


def test_one_file_is_whole_in_its_full_size_alone(tmp_path: Path) -> None:
    assert not has_whole_weights(tmp_path)
    path = tmp_path / "model.safetensors"
    weights(path)
    assert has_whole_weights(tmp_path)
    for left in (path.stat().st_size - 1, 20, 7, 0):
        cut(path, left)
        assert not has_whole_weights(tmp_path)


@pytest.mark.parametrize("lost", ["model-00002-of-00002.safetensors", INDEX])
def test_shards_are_whole_with_all_that_their_index_names(tmp_path: Path, lost: str) -> None:
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for name in names:
        weights(tmp_path / name)
    index = {"weight_map": {f"weight{number}": name for number, name in enumerate(names)}}
    (tmp_path / INDEX).write_text(json.dumps(index))
    assert has_whole_weights(tmp_path)
    (tmp_path / lost).unlink()
    assert not has_whole_weights(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "[]", '{"weight_map": 3}', '{"weight_map": {"a": "../gone"}}'])
def test_an_index_that_cannot_be_read_is_no_whole_one(tmp_path: Path, text: str) -> None:
    weights(tmp_path / "model.safetensors")
    (tmp_path / INDEX).write_text(text)
    assert not has_whole_weights(tmp_path)
