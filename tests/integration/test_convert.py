"""Upstream's files, repaired: the medium that the answer names is the good one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from backend.cli.hints import in_command
from backend.errors import DatasetError, ExportError, UsageError, WinnowError
from backend.export.convert import convert_t2i, convert_t2v


def sample(noun: str, preference: str, path1: str, path2: str, answer: str | None = None) -> dict[str, Any]:
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
    assert [row["images"][0].endswith("good.png") for row in made] == [True, False, False, True, False]
    assert (report.rows, report.written, report.inverted, report.skipped) == (5, 5, 3, 0)
    assert "a {prompt} cat" in made[0]["conversations"][0]["value"]


def test_t2v_samples_keep_their_order(tmp_path: Path) -> None:
    rows = [sample("Video", "A", "good.mp4", "bad.mp4"), sample("Video", "B", "bad.mp4", "good.mp4")]
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
                {"from": "gpt", "value": f"<think>\nx\n</think>\n<answer>Image {n} is better</answer>"},
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
    broken += [{"conversations": [], "images": ["a", "b"]}, {"conversations": ["x"], "images": ["a", "b"]}]
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


def upstream_t2v(answers: str) -> list[dict[str, Any]]:
    rows = upstream_t2i(answers)
    for row in rows:
        row["conversations"][1]["value"] = row["conversations"][1]["value"].replace("Image", "Video")
        row |= {"images": ["c.mp4", "d.mp4"], "video_fps": 2.0}
    return rows


VIDEO_SAMPLE = sample("Video", "B", "c.mp4", "d.mp4")
IMAGE_SAMPLE = sample("Image", "B", "c.png", "d.png")
NAMELESS = {"path1": "c", "path2": "d"}  # no extension tells


@pytest.mark.parametrize(
    ("convert", "row"),
    [
        (convert_t2i, VIDEO_SAMPLE),
        (convert_t2i, {**IMAGE_SAMPLE, **NAMELESS, "score1_total": 9, "score2_total": 4}),
        (convert_t2i, {**VIDEO_SAMPLE, **NAMELESS}),
        (convert_t2v, IMAGE_SAMPLE),
        (convert_t2v, {**IMAGE_SAMPLE, **NAMELESS}),
        # A judge that said the wrong word about images: their files tell.
        (convert_t2v, sample("Video", "B", "c.png", "d.png")),
    ],
)
def test_rows_about_the_other_medium_are_refused_and_nothing_is_written(
    tmp_path: Path, convert: Any, row: dict[str, Any]
) -> None:
    source = write(tmp_path / "f.json", [row])
    with pytest.raises(DatasetError, match="row 0 is about") as caught:
        convert(source, tmp_path / "t.json")
    other = "t2v" if convert is convert_t2i else "t2i"
    assert f"winnow convert {other}" in in_command(caught.value.hint)
    assert not list(tmp_path.glob("t.json*"))


@pytest.mark.parametrize("by", ["key", "files", "answer"])
def test_a_t2v_training_file_is_refused_as_t2i_too(tmp_path: Path, by: str) -> None:
    rows = upstream_t2v("12")
    for row in rows:
        if by != "key":
            del row["video_fps"]
        if by == "answer":
            row["images"] = ["c", "d"]
    source = write(tmp_path / "train.json", rows)
    with pytest.raises(DatasetError, match="cannot be known"):
        convert_t2i(source, tmp_path / "t.json")
    assert not list(tmp_path.glob("t.json*"))


def test_a_row_of_an_image_and_a_video_is_malformed(tmp_path: Path) -> None:
    rows = [IMAGE_SAMPLE, sample("Image", "B", "c.png", "d.mp4")]
    report = convert_t2i(write(tmp_path / "f.json", rows), tmp_path / "t.json")
    assert (report.written, report.malformed) == (1, 1)


@pytest.mark.parametrize("source_is", ["samples", "training"])
def test_what_a_repair_wrote_is_refused_wherever_it_is_taken(tmp_path: Path, source_is: str) -> None:
    rows = [IMAGE_SAMPLE] if source_is == "samples" else upstream_t2i("1221")
    fixed, moved = tmp_path / "fixed.json", tmp_path / "elsewhere" / "data.json"
    convert_t2i(write(tmp_path / "f.json", rows), fixed)
    assert [path.name for path in tmp_path.iterdir() if "fixed" in path.name] == ["fixed.json"]
    moved.parent.mkdir()
    shutil.copy(fixed, moved)
    with pytest.raises(ExportError, match="written by Winnow and needs no repair"):
        convert_t2i(moved, tmp_path / "again.json")
    assert not list(tmp_path.glob("again.json*"))


def test_what_an_older_version_repaired_is_known_by_the_note_beside_it(tmp_path: Path) -> None:
    source = write(tmp_path / "train.json", upstream_t2i("12"))
    (tmp_path / "train.json.repaired.json").write_text('{"made_by": "winnow convert"}')
    with pytest.raises(ExportError, match="needs no other"):
        convert_t2i(source, tmp_path / "t.json")


def test_a_sharegpt_file_is_not_taken_for_upstreams(tmp_path: Path) -> None:
    rows = [{**row, "system": "Judge."} for row in upstream_t2i("12")]
    with pytest.raises(DatasetError, match="ShareGPT"):
        convert_t2i(write(tmp_path / "winnow.json", rows), tmp_path / "t.json")


@pytest.mark.parametrize("kind", ["samples", "training"])
def test_relative_paths_name_the_same_files_from_the_outputs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "in").mkdir()
    rows: list[Any] = upstream_t2i("12")
    if kind == "samples":
        rows = [sample("Image", side, "good.png", "/abs/bad.png") for side in "AB"]
    source = write(tmp_path / "in" / "f.json", rows)
    monkeypatch.chdir(tmp_path)
    for given in (source, Path("in/f.json")):
        convert_t2i(given, Path("out/t.json"))
        made = json.loads((tmp_path / "out" / "t.json").read_text())
        assert {named(row) for row in made} == {str(tmp_path / "in" / "good.png")}
    convert_t2i(source, Path("out/t.json"), data_root=Path("media"))
    made = json.loads((tmp_path / "out" / "t.json").read_text())
    assert {named(row) for row in made} == {str(tmp_path / "media" / "good.png")}
    convert_t2i(source, tmp_path / "in" / "t.json")
    assert {named(row) for row in json.loads((tmp_path / "in" / "t.json").read_text())} == {"good.png"}


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_frames_a_second_that_cannot_be_are_refused(tmp_path: Path, fps: float) -> None:
    source = write(tmp_path / "f.json", [VIDEO_SAMPLE])
    with pytest.raises(UsageError, match=r"^video_fps "):
        convert_t2v(source, tmp_path / "t.json", video_fps=fps)
    assert not list(tmp_path.glob("t.json*"))


def one_row_a_line(path: Path, rows: list[Any]) -> Path:
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    return path


def test_a_file_that_only_happens_to_be_laid_out_as_ours_is_repaired_when_a_person_says_so(tmp_path: Path) -> None:
    out = tmp_path / "o.json"
    good = convert_t2i(write(tmp_path / "f.json", [sample("Image", "B", "good.png", "bad.png")]), out)
    assert good.inverted == 1
    (row,) = json.loads(out.read_text())
    # As upstream's converter would have written it, but one row a line.
    foreign = one_row_a_line(tmp_path / "foreign.json", [{**row, "images": row["images"][::-1]}])
    with pytest.raises(ExportError, match="needs no repair") as refused:
        convert_t2i(foreign, tmp_path / "again.json")
    assert "--made-elsewhere" in in_command(refused.value.hint)
    assert not (tmp_path / "again.json").exists()
    report = convert_t2i(foreign, tmp_path / "again.json", made_elsewhere=True)
    assert (report.written, report.inverted) == (1, 1)
    (repaired,) = json.loads((tmp_path / "again.json").read_text())
    assert named(repaired) == named(row)


@pytest.mark.parametrize("beside", ["manifest.json", "rejection_sampling_train.json.repaired.json"])
def test_what_lies_beside_a_file_of_ours_speaks_for_itself_whatever_a_person_says(tmp_path: Path, beside: str) -> None:
    convert_t2i(
        write(tmp_path / "f.json", [sample("Image", "B", "good.png", "bad.png")]),
        tmp_path / "rejection_sampling_train.json",
    )
    (tmp_path / beside).write_text(json.dumps({"made_by": "winnow"}))
    with pytest.raises(ExportError, match="needs no") as refused:
        convert_t2i(tmp_path / "rejection_sampling_train.json", tmp_path / "x", made_elsewhere=True)
    assert "--made-elsewhere" not in in_command(refused.value.hint)
    assert not (tmp_path / "x").exists()


def test_brackets_within_brackets_are_refused_in_little_memory(tmp_path: Path) -> None:
    import resource

    file = tmp_path / "f.json"
    file.write_text("[" * 100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DatasetError, match="nested too deeply"):
        convert_t2i(file, tmp_path / "o.json")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
    assert not list(tmp_path.glob("o.json*"))


def test_broken_json_is_told_by_its_line_and_a_row_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    rows = [sample("Image", "A", "good.png", "bad.png") for _ in range(3)]
    file = tmp_path / "f.json"
    file.write_text(json.dumps(rows, indent=0)[:-30])
    line = file.read_text().count("\n") + 1
    with pytest.raises(DatasetError, match=rf"f\.json:{line}: invalid JSON in row 2"):
        convert_t2i(file, tmp_path / "o.json")
    rows[1]["prompt"] = "\ud800"
    report = convert_t2i(write(file, rows), tmp_path / "o.json")
    assert (report.rows, report.written, report.malformed) == (3, 2, 1)
    assert report.first_malformed == "row 1 holds characters that no text has"


def test_an_output_without_a_name_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "f.json", [sample("Image", "A", "good.png", "bad.png")])
    with pytest.raises(ExportError, match="names no file"):
        convert_t2i(file, Path())
