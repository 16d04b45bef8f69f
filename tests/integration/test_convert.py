"""Upstream's files, repaired: the medium that the answer names is the good one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.errors import WinnowError
from backend.export.convert import convert_t2i, convert_t2v


def sample(
    noun: str, preference: str, path1: str, path2: str, answer: str | None = None
) -> dict[str, Any]:
    number = {"A": 1, "B": 2}.get(preference, 1)
    said = answer or f"{noun} {number} is better"
    text = f"<think>\nbecause {{prompt}}\n</think>\n<answer>{said}</answer>"
    return {
        "prompt": "a {prompt} cat",
        "path1": path1,
        "path2": path2,
        "preference": preference,
        "generated_text": text,
        "predicted_answer": said,
        "reasoning": "because {prompt}",
    }


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text(json.dumps(rows))
    return path


def named(row: dict[str, Any]) -> str:
    first = " 1 is better" in row["conversations"][1]["value"]
    return str(row["images"][0 if first else 1])


def test_t2i_samples_are_written_in_shown_order(tmp_path: Path) -> None:
    rows = [sample("Image", side, "good.png", "bad.png") for side in "ABBAB"]
    out = tmp_path / "out" / "train.json"
    report = convert_t2i(write(tmp_path / "f.json", rows), out, data_root=tmp_path / "root")
    made = json.loads(out.read_text())
    assert {named(row) for row in made} == {str(tmp_path / "root" / "good.png")}
    assert [row["images"][0].endswith("good.png") for row in made] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert (report.rows, report.written, report.inverted, report.skipped) == (5, 5, 3, 0)
    assert "a {prompt} cat" in made[0]["conversations"][0]["value"]


def test_t2v_samples_keep_their_order(tmp_path: Path) -> None:
    rows = [
        sample("Video", "A", "good.mp4", "bad.mp4"),
        sample("Video", "B", "bad.mp4", "good.mp4"),
    ]
    source = write(tmp_path / "f.json", rows)
    report = convert_t2v(source, tmp_path / "t.json", video_fps=4.0)
    made = json.loads((tmp_path / "t.json").read_text())
    assert [named(row) for row in made] == ["good.mp4", "good.mp4"]
    assert [row["images"] for row in made] == [[r["path1"], r["path2"]] for r in rows]
    assert [row["video_fps"] for row in made] == [4.0, 4.0]
    assert report.inverted == 1


def test_rows_that_disagree_or_tie_are_skipped_and_counted(tmp_path: Path) -> None:
    rows = [
        sample("Image", "A", "good.png", "bad.png"),
        sample("Image", "A", "good.png", "bad.png", "Image 2 is better"),
        sample("Image", "C", "good.png", "bad.png", "Both images are equally good"),
    ]
    report = convert_t2i(write(tmp_path / "f.json", rows), tmp_path / "t.json")
    assert (report.rows, report.written, report.skipped) == (3, 1, 2)


def upstream_t2i(answers: str) -> list[dict[str, Any]]:
    return [
        {
            "conversations": [
                {"from": "human", "value": "Judge."},
                {
                    "from": "gpt",
                    "value": f"<think>\nx\n</think>\n<answer>Image {n} is better</answer>",
                },
            ],
            "images": ["good.png", "bad.png"],
        }
        for n in answers
    ]


def test_a_t2i_training_file_is_repaired(tmp_path: Path) -> None:
    source = write(tmp_path / "train.json", upstream_t2i("1221"))
    out = tmp_path / "fixed.json"
    assert convert_t2i(source, out).inverted == 2
    assert {named(row) for row in json.loads(out.read_text())} == {"good.png"}


def test_a_training_file_of_our_own_export_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "rejection_sampling_train.json", upstream_t2i("12"))
    (tmp_path / "manifest.json").write_text('{"made_by": "winnow"}')
    with pytest.raises(WinnowError, match="needs no repair"):
        convert_t2i(source, tmp_path / "o" / "t.json")


def test_a_t2v_training_file_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "train.json", upstream_t2i("12"))
    with pytest.raises(WinnowError, match="cannot be known") as caught:
        convert_t2v(source, tmp_path / "t.json")
    assert caught.value.hint
    assert not list(tmp_path.glob("t.json*"))


@pytest.mark.parametrize("text", ['[{"prompt": ', "{}", "[]", "not json"])
def test_an_unusable_source_leaves_no_output(tmp_path: Path, text: str) -> None:
    source = tmp_path / "f.json"
    source.write_text(text)
    with pytest.raises(WinnowError):
        convert_t2i(source, tmp_path / "t.json")
    assert not list(tmp_path.glob("t.json*"))


def test_the_source_is_not_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "f.json", [sample("Image", "A", "good.png", "bad.png")])
    before = source.read_bytes()
    with pytest.raises(WinnowError):
        convert_t2i(source, source)
    assert source.read_bytes() == before


def test_a_file_that_was_repaired_is_not_inverted_again(tmp_path: Path) -> None:
    source = write(tmp_path / "train.json", upstream_t2i("1221"))
    convert_t2i(source, tmp_path / "fixed.json")
    with pytest.raises(WinnowError):
        convert_t2i(tmp_path / "fixed.json", tmp_path / "again.json")


def test_malformed_rows_are_left_out_and_counted_and_the_others_are_right(tmp_path: Path) -> None:
    whole = [sample("Image", side, "good.png", "bad.png") for side in "AB"]
    broken: list[Any] = [7, {"prompt": "p"}, {**whole[0], "path2": None}]
    broken += [
        {"conversations": [], "images": ["a", "b"]},
        {"conversations": ["x"], "images": ["a", "b"]},
    ]
    out = tmp_path / "t.json"
    report = convert_t2i(write(tmp_path / "f.json", [whole[0], *broken, whole[1]]), out)
    assert (report.rows, report.written, report.malformed, report.skipped) == (7, 2, 5, 0)
    assert report.first_malformed == "row 1 is no object"
    assert {named(row) for row in json.loads(out.read_text())} == {"good.png"}


def test_a_file_in_which_every_row_is_malformed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WinnowError, match="no row can be used; row 0 lacks path1") as caught:
        convert_t2i(write(tmp_path / "f.json", [{"prompt": "p"}]), tmp_path / "t.json")
    assert caught.value.hint
    assert not list(tmp_path.glob("t.json*"))
