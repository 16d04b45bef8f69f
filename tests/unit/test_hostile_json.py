"""JSON bombs at every entry: one clear refusal, never a traceback, a hang or a filled memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.cli.policy import read_policy
from backend.curation.ruling_rows import _mapping
from backend.datasets import json_rows as module
from backend.datasets.base import BrokenRow
from backend.datasets.registry import parse_spec
from backend.domain.json_text import DEEPEST, load_json
from backend.domain.pairs import MediaKind
from backend.domain.reading import parse_verdict
from backend.engines.models import _read
from backend.engines.scripted import read_script
from backend.errors import DatasetError, EngineError, PolicyError, ReviewError
from backend.export.exporter import MANIFEST, is_our_export
from backend.inference.imports import _lines
from backend.training.folder import read_json
from backend.training.weights import has_whole_weights

BOMBS = {
    "lists": "[" * 100_000,
    "closed lists": "[" * 500 + "]" * 500,
    "objects": '{"a":' * 100_000,
    "in a value": '{"prompt": ' + "[" * 300 + "]" * 300 + "}",
    "digits": '{"index": ' + "9" * 10_000 + "}",
    "digits in a list": "[" + "9" * 10_000 + "]",
    "half a byte": b'{"a": "\xc3"}',
    "nothing": "",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_as_what_is_no_json(bomb: str | bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        load_json(bomb)


def test_what_people_write_is_read_however_many_brackets_it_has() -> None:
    deep = "[" * DEEPEST + "]" * DEEPEST
    for text in (deep, json.dumps(["[" * 9_000]), json.dumps([{"a": [1]}] * 5_000), "NaN", "[1e999]"):
        load_json(text)
    assert load_json('{"a": "\\ud800"}') == {"a": "\ud800"}


def test_a_key_that_is_given_twice_is_refused_where_a_person_decides_by_it() -> None:
    assert load_json('{"a": 1, "a": 2}') == {"a": 2}
    with pytest.raises(PolicyError, match="'min_margin' is given twice"):
        read_policy('{"min_margin": 1, "min_margin": 2}')
    with pytest.raises(ReviewError, match="'ruling' is given twice"):
        _mapping('{"ruling": "accept", "ruling": "reject"}')


@pytest.mark.parametrize("bomb", [text for text in BOMBS.values() if isinstance(text, str) and text])
def test_every_reader_of_a_file_says_so_in_one_line(bomb: str, tmp_path: Path) -> None:
    for name in ("x.json", MANIFEST, "config.json", "model.safetensors.index.json"):
        (tmp_path / name).write_text(bomb)
    file = tmp_path / "x.json"
    with pytest.raises(DatasetError, match=r"x\.json:1: "):
        list(_lines(file))
    with pytest.raises(PolicyError, match="not a JSON policy"):
        read_policy(str(file))
    with pytest.raises(PolicyError):
        read_policy("{" + bomb)
    with pytest.raises(EngineError, match=r"x\.json:1: "):
        read_script(file)
    with pytest.raises(ReviewError):
        _mapping(bomb)
    assert not is_our_export(tmp_path)
    assert read_json(file) == {}
    assert _read(file) == {}
    assert not has_whole_weights(tmp_path)


def test_of_a_data_set_of_lines_a_bomb_is_one_broken_row(tmp_path: Path) -> None:
    good = '{"prompt": "p", "path1": "a.png", "path2": "b.png"}'
    file = tmp_path / "d.jsonl"
    file.write_text("\n".join([good, BOMBS["in a value"], BOMBS["objects"], BOMBS["digits"], good]))  # type: ignore[list-item]
    rows = _rows(file)
    assert [isinstance(row, BrokenRow) for row in rows] == [False, True, True, True, False]
    assert "nested too deeply" in str(rows[1])


@pytest.mark.parametrize("bomb", [BOMBS["in a value"], BOMBS["digits"], BOMBS["objects"]])
def test_of_a_data_set_in_an_array_a_bomb_ends_the_file_with_its_line(bomb: str, tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text(f"[\n{bomb}\n]")
    with pytest.raises(DatasetError, match=r"d\.json:2: invalid JSON in row 0"):
        _rows(file)


def test_a_line_without_end_is_a_broken_row_that_is_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OBJECT", 1_000)
    good = '{"prompt": "p", "path1": "a.png", "path2": "b.png"}'
    file = tmp_path / "d.jsonl"
    file.write_text("\n".join([good, '{"prompt": "' + "x" * 5_000 + '"}', good]))
    first, second, third = _rows(file)
    assert "more than 1,000 characters" in str(second)
    assert not isinstance(first, BrokenRow)
    assert not isinstance(third, BrokenRow)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 2_000,
        '{"winner": ' + "[" * 9_000,
        '{"winner": ' * 2_000,
        'scores: {"Quality": ' + "[" * 900 + '"8"' + "]" * 900 + "}",
        '{"winner": ' + "1" * 10_000 + "}",
        'x: {"Quality": {"Image 1": ' + "9" * 5_000 + "}}",
        '{"winner": "?", "x": ' + "[" * 980 + "]" * 980 + "}",
    ],
    ids=range(8),
)
def test_a_judge_that_writes_a_bomb_is_unreadable(text: str) -> None:
    assert parse_verdict(text, MediaKind.IMAGE).answer is None


def _rows(file: Path) -> list[object]:
    ((source, path),) = parse_spec(f"hpdv3:{file}")
    return list(source.rows(path))
