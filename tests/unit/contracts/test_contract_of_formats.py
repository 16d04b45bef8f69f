"""Every format that is registered is read back by the program that it is for, with the winner as it was shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from backend.export.formats import FORMATS
from tests.unit.contracts.checks import Judged, Read, check_format, new_judged

Rows = list[tuple[Sequence[str], str]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    made = new_judged(tmp_path_factory.mktemp("judged"))
    yield made
    made.database.close()


def as_lightrft(folder: Path) -> Rows:
    """Every file of rows holds images and videos under one key."""
    found: Rows = []
    for file in folder.glob("rejection_sampling_train*.json"):
        for row in json.loads(file.read_text()):
            human, gpt = row["conversations"]
            assert (human["from"], gpt["from"]) == ("human", "gpt")
            assert human["value"].strip()
            found.append((row["images"], gpt["value"]))
    return found


def as_llamafactory(folder: Path) -> Rows:
    """The files that dataset_info.json names, by its columns; it stops where places and media differ in number."""
    found: Rows = []
    for info in json.loads((folder / "dataset_info.json").read_text()).values():
        assert info["formatting"] == "sharegpt"
        columns: dict[str, str] = info["columns"]
        (column,) = {"images", "videos"} & columns.keys()
        for row in json.loads((folder / info["file_name"]).read_text()):
            turns: list[dict[str, Any]] = row[columns["messages"]]
            assert [turn["from"] for turn in turns] == ["human", "gpt"]
            media = row[columns[column]]
            assert sum(turn["value"].count(f"<{column[:-1]}>") for turn in turns) == len(media)
            assert row[columns["system"]].strip()
            found.append((media, turns[-1]["value"]))
    return found


def flat(rows: list[dict[str, Any]]) -> Rows:
    for row in rows:
        assert f" {('first', 'second').index(row['answer']) + 1} is better" in row["response"]
        assert row["order"] in ("dataset", "swapped") and row["recorded"] == row["answer"]
    return [((row["first"], row["second"]), row["response"]) for row in rows]


def as_parquet(folder: Path) -> Rows:
    return flat([row for file in folder.glob("*.parquet") for row in pq.read_table(file).to_pylist()])


def as_lines(folder: Path) -> Rows:
    return flat([json.loads(line) for file in folder.glob("*.jsonl") for line in file.open()])


READERS: dict[str, Read] = {
    "lightrft": as_lightrft,
    "sharegpt": as_llamafactory,
    "sharegpt-frames": as_llamafactory,
    "parquet": as_parquet,
    "jsonl": as_lines,
}


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_formats_rows_are_read_back_with_the_winner_as_it_was_shown(
    name: str, judged: Judged, tmp_path: Path
) -> None:
    assert FORMATS[name].name == name
    assert name in READERS, "write here how the program that the format is for reads it"
    check_format(FORMATS[name], tmp_path, judged, READERS[name])
