"""What can be wrong with what a person gives: one line, a hint, exit code 1, and nothing half-written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.conftest import Result, Winnow

ROW = {"prompt": "p", "path1": "a.png", "path2": "b.png"}


def one_line(result: Result, said: str) -> None:
    """The error is one line and one hint."""
    error, hint = result.err.strip().splitlines()
    assert error.startswith("error: ") and said in error, result.err
    assert hint.startswith("hint: ") and len(hint) > len("hint: "), result.err


def no_media(*words: object) -> list[object]:
    return ["dataset", "add", *words, "--no-check-media"]


def test_a_truncated_json_file_is_an_error_with_its_line_and_never_half_a_dataset(
    winnow: Winnow, tmp_path: Path
) -> None:
    file = tmp_path / "d.json"
    whole = json.dumps([{**ROW, "path1": f"{n}.png"} for n in range(50)], indent=0)
    file.write_text(whole[: len(whole) // 2])
    line = file.read_text().count("\n") + 1
    one_line(winnow(*no_media(f"hpdv3:{file}", "--name", "d"), code=1), f"d.json:{line}")
    assert "ready" not in {row["status"] for row in winnow("dataset", "list", "--json").json}
    words = ["run", "start", "--dataset", "d", "--model", "m"]
    one_line(winnow(*words, code=1), "not ready")
    file.write_text(whole)
    assert winnow(*no_media(f"hpdv3:{file}", "--name", "d", "--json")).json["pairs"] == 50


@pytest.mark.parametrize("text", ["", "[]", "\n\n", "{}", "[{"])
def test_a_dataset_without_a_usable_row_leaves_no_dataset(winnow: Winnow, tmp_path: Path, text: str) -> None:
    (tmp_path / "d.json").write_text(text)
    one_line(winnow(*no_media(f"hpdv3:{tmp_path / 'd.json'}", "--name", "d"), code=1), "d.json")
    assert winnow("dataset", "list", "--json").json == []


def test_a_parquet_file_without_a_needed_column_is_an_error_that_names_it(winnow: Winnow, tmp_path: Path) -> None:
    file = tmp_path / "d.parquet"
    pq.write_table(pa.table({"prompt": ["p"], "file_name1": ["a.mp4"]}), file)
    result = winnow(*no_media(f"rapidata-t2v:{file}", "--name", "d"), code=1)
    one_line(result, "'file_name2'")
    assert winnow("dataset", "list", "--json").json == []


def test_an_unknown_source_is_an_error_that_lists_the_known_ones(winnow: Winnow, tmp_path: Path) -> None:
    result = winnow(*no_media(f"hpdv4:{tmp_path}", "--name", "d"), code=1)
    one_line(result, "hpdv4")
    assert "rapidata-t2v" in result.err
    assert winnow("dataset", "list", "--json").json == []


def test_a_model_path_that_is_no_model_is_refused_before_there_is_a_run(winnow: Winnow, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps([ROW]))
    winnow(*no_media(f"hpdv3:{tmp_path / 'd.json'}", "--name", "d"))
    (tmp_path / "file").write_text("weights")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    for engine, name in [("auto", "nothing"), ("auto", "file"), ("transformers", "folder"), ("auto", "broken")]:
        words = ["run", "start", "--dataset", "d", "--engine", engine, "--model", tmp_path / name]
        one_line(winnow(*words, code=1), name)
    assert winnow("run", "list", "--json").json == []


@pytest.mark.parametrize("words", [["dataset", "list"], ["run", "list"], ["doctor"], ["set", "list"]])
def test_a_workspace_of_a_newer_version_is_left_as_it_is(winnow: Winnow, tmp_path: Path, words: list[str]) -> None:
    winnow("dataset", "list")
    database = tmp_path / "ws" / "winnow.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    one_line(winnow(*words, code=1), "newer Winnow")
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_links_that_lead_to_each_other_are_one_line(winnow: Winnow, tmp_path: Path) -> None:
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    words = ["convert", "t2i", "--filtered-samples-path", loop, "--output-path", tmp_path / "out"]
    one_line(winnow(*words, code=1), "symbolic links")
    one_line(
        winnow("prepare", "t2i", "--model-path", "m", "--data-path", f"hpdv3:{loop}", "--output-dir", loop, code=1),
        "loop.json",
    )
