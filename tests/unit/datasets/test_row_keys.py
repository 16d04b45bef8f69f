"""Keys that change what a row means are honoured or refused; the others are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.datasets.base import BrokenRow, SourceRow
from backend.datasets.registry import SOURCES
from backend.errors import DatasetError

HPD = {"prompt": "p", "path1": "a.png", "path2": "b.png"}
PLAIN = {"prompt": "p", "first": "a.png", "second": "b.png", "preference": "first"}


def read(tmp_path: Path, source: str, item: dict[str, Any]) -> SourceRow | BrokenRow:
    (tmp_path / "a.json").write_text(json.dumps([item]))
    (row,) = SOURCES[source].rows(tmp_path / "a.json")
    return row


@pytest.mark.parametrize(
    ("value", "preference"),
    [(True, "tie"), (False, "first"), (None, "first"), ("true", "tie"), ("False", "first"), (1, "tie"), (0, "first")],
)
def test_a_tie_case_is_a_tie_although_path1_stands_first(tmp_path, value, preference):
    assert read(tmp_path, "hpdv3", {**HPD, "tie_case": value}).preference.value == preference


def test_a_tie_case_that_is_neither_true_nor_false_breaks_its_row(tmp_path):
    row = read(tmp_path, "hpdv3", {**HPD, "tie_case": "maybe"})
    assert isinstance(row, BrokenRow) and "tie_case" in row.message


def test_a_row_of_editreward_is_refused_as_an_edit(tmp_path):
    item = {**HPD, "path_src": "s.png", "tie_case": True, "model1_dim1_score": 3, "confidence": 1.0}
    row = read(tmp_path, "hpdv3", item)
    assert isinstance(row, BrokenRow)
    assert "path_src" in row.message and "editing" in row.message and "no references yet" in row.message
    assert isinstance(read(tmp_path, "hpdv3", {**item, "path_src": None}), SourceRow)


@pytest.mark.parametrize("source", ["hpdv3", "pairs", "imagegen-cot-reward-5k"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path_src", "s.png"),
        ("source_image", "s.png"),
        ("src_img_path", "s.png"),
        ("inputImage", "s.png"),
        ("reference", "s.png"),
        ("references", ["s.png"]),
        ("first_frame", "s.png"),
        ("prompt_asset", {"bytes": "x"}),
        ("source_video", "s.mp4"),
        ("mask", "m.png"),
        ("criteria", "sharpness"),
        ("question", "Which is sharper?"),
        ("criteria_preference", "response1"),
        ("instruct_prompt", "make it red"),
        ("edit_instruction", "x"),
        ("is_tie", True),
        ("tie", "yes"),
        ("swapped", True),
        ("flipped", 1),
        ("path3", "c.png"),
        ("image_4", "d.png"),
    ],
)
def test_a_key_that_makes_a_row_mean_something_else_breaks_it_by_name(tmp_path, source, key, value):
    turns = [{"from": "human", "value": "Caption: a"}, {"from": "gpt", "value": "<answer>Image 1 is better</answer>"}]
    base = {
        "hpdv3": HPD,
        "pairs": PLAIN,
        "imagegen-cot-reward-5k": {"conversations": turns, "images": ["a.png", "b.png"]},
    }[source]
    row = read(tmp_path, source, {**base, key: value})
    assert isinstance(row, BrokenRow) and repr(key) in row.message
    for nothing in (None, ""):
        assert isinstance(read(tmp_path, source, {**base, key: nothing}), SourceRow)


@pytest.mark.parametrize("key", ["preference", "label", "winner", "chosen", "vote_type"])
def test_a_verdict_beside_the_order_that_is_one_breaks_a_row_of_hpdv3(tmp_path, key):
    row = read(tmp_path, "hpdv3", {**HPD, key: 0})
    assert isinstance(row, BrokenRow) and repr(key) in row.message


@pytest.mark.parametrize(
    "key",
    [
        "source",
        "image_source",
        "reference_id",
        "aspect_ratio",
        "num_frames",
        "model3",
        "tie_count",
        "query_id",
        "seed",
        "category",
        "prompt_zh",
        "strength",
    ],
)
def test_keys_that_say_where_a_row_is_from_or_how_it_was_made_are_left_out_by_name(tmp_path, key):
    row = read(tmp_path, "hpdv3", {**HPD, key: "x", "model1": "m"})
    assert isinstance(row, SourceRow) and row.ignored == (key,)
    kept = read(tmp_path, "pairs", {**PLAIN, key: "x"})
    assert (kept.extra, kept.ignored) == ({key: "x"}, ())
    nested = read(tmp_path, "pairs", {**PLAIN, key: ["x"]})
    assert (nested.extra, nested.ignored) == ({}, (key,))


def test_columns_of_a_parquet_file_mean_what_keys_mean(tmp_path):
    rows = [{**PLAIN, "is_tie": n == 1, "seed": n, "boxes": [n]} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = list(SOURCES["pairs"].rows(tmp_path / "a.parquet"))
    assert [isinstance(row, BrokenRow) for row in found] == [False, True, False]
    assert found[0].extra == {"is_tie": False, "seed": 0} and found[0].ignored == ("boxes",)
    assert found[2].ignored == ()


@pytest.mark.parametrize("column", ["first", "source_image"])
def test_a_column_of_embedded_media_is_named_as_what_it_is(tmp_path, column):
    medium = {"bytes": b"\x89PNG", "path": "a.png"}
    pq.write_table(pa.Table.from_pylist([{**PLAIN, column: medium}]), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=f"'{column}' holds the media themselves") as caught:
        list(SOURCES["pairs"].rows(tmp_path / "a.parquet"))
    assert "\n" not in str(caught.value) and "files" in caught.value.hint


def test_an_embedded_image_in_json_is_named_as_what_it_is(tmp_path):
    row = read(tmp_path, "hpdv3", {**HPD, "path1": {"bytes": "iVBO", "path": "a.png"}})
    assert isinstance(row, BrokenRow) and "holds the medium itself" in row.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(("source", "name"), [("hpdv3", "a.json"), ("pairs", "a.csv"), ("pairs", "a.jsonl")])
def test_text_of_another_encoding_is_named_with_what_converts_it(tmp_path, source, name, encoding):
    text = "prompt,first,second,preference\np,a.png,b.png,first\n" if name == "a.csv" else json.dumps([HPD])
    (tmp_path / name).write_text(text, encoding=encoding)
    with pytest.raises(DatasetError, match=f"is {encoding[:6].upper()} text") as caught:
        list(SOURCES[source].rows(tmp_path / name))
    assert "iconv" in caught.value.hint


def test_a_file_of_another_kind_is_named_as_what_it_is(tmp_path):
    pq.write_table(pa.table({"prompt": ["p"]}), tmp_path / "a.json")
    with pytest.raises(DatasetError, match="is a Parquet file, not JSON"):
        list(SOURCES["hpdv3"].rows(tmp_path / "a.json"))


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_table_is_read_by_the_separator_that_names_its_columns(tmp_path, suffix, separator):
    prompt = "a, b; c" if separator == "\t" else '"a, b; c"'
    lines = [("seed", *PLAIN), ("7", prompt, "a.png", "b.png", "B")]
    (tmp_path / f"a.{suffix}").write_text("\n".join(separator.join(line) for line in lines), "utf-8-sig")
    (row,) = SOURCES["pairs"].rows(tmp_path / f"a.{suffix}")
    assert (row.prompt, row.first, row.preference.value) == ("a, b; c", "a.png", "second")
    assert row.extra == {"seed": "7"}


def test_a_quoted_field_between_tabs_or_a_half_quoted_one_between_commas_breaks_its_row(tmp_path):
    header = "prompt\tfirst\tsecond\tpreference\n"
    (tmp_path / "a.tsv").write_text(f'{header}"Stop" says a sign\ta\tb\tA\nsays "Stop"\ta\tb\tA\n')
    broken, row = SOURCES["pairs"].rows(tmp_path / "a.tsv")
    assert isinstance(broken, BrokenRow) and "line 2" in broken.message and "quotes" in broken.message
    assert row.prompt == 'says "Stop"'
    (tmp_path / "a.csv").write_text(header.replace("\t", ",") + '"Stop" says,a,b,A\nc,a,b,A\n')
    broken, row = SOURCES["pairs"].rows(tmp_path / "a.csv")
    assert isinstance(broken, BrokenRow) and "line 2" in broken.message
    assert row.prompt == "c"


@pytest.mark.parametrize("header", ["prompt|first|second|preference", "prompt,first,second,preference,first"])
def test_a_table_whose_columns_cannot_be_told_is_refused(tmp_path, header):
    (tmp_path / "a.csv").write_text(f"{header}\na,b,c,A,d\n")
    with pytest.raises(DatasetError, match="column"):
        list(SOURCES["pairs"].rows(tmp_path / "a.csv"))


def scored(tmp_path: Path, names: list[str]) -> Path:
    scores = {f"weighted_results{s}_{a}": [float(s)] for s in (1, 2) for a in ("Alignment", "Coherence", "Preference")}
    columns = {"prompt": ["p"], "file_name1": names[:1], "file_name2": names[1:], **scores}
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "data" / "a.parquet")
    return tmp_path / "data" / "a.parquet"


def test_plain_names_of_rapidata_i2v_are_found_in_the_folders_it_keeps_them_in(tmp_path):
    for place in ("hailuo-02/hailuo_1.mp4", "hailuo-02/marey/0001.mp4"):
        (tmp_path / "videos" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / place).touch()
    (row,) = SOURCES["rapidata-i2v"].rows(scored(tmp_path, ["hailuo_1.mp4", "0001.mp4"]))
    assert (row.first, row.second) == ("videos/hailuo-02/hailuo_1.mp4", "videos/hailuo-02/marey/0001.mp4")
    (row,) = SOURCES["rapidata-t2v"].rows(tmp_path / "data" / "a.parquet")
    assert (row.first, row.second) == ("videos/hailuo_1.mp4", "videos/0001.mp4")


def test_a_plain_name_that_may_be_two_files_breaks_its_row(tmp_path):
    for place in ("1.mp4", "hailuo-02/1.mp4"):
        (tmp_path / "videos" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / place).touch()
    (row,) = SOURCES["rapidata-i2v"].rows(scored(tmp_path, ["1.mp4", "2.mp4"]))
    assert isinstance(row, BrokenRow) and "videos/hailuo-02/1.mp4" in row.message
