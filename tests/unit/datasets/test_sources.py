import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.datasets.base import BrokenRow
from backend.datasets.imagegen_cot_reward import caption_of
from backend.datasets.registry import SOURCES, parse_spec
from backend.domain.pairs import MediaKind, Preference
from backend.domain.prompts import CAPTION_PLACE
from backend.errors import DatasetError

ASPECTS = ("Alignment", "Coherence", "Preference")


def rapidata_file(tmp_path, rows, drop=()):
    """``rows``: (file_name1, file_name2, three scores, three scores)."""
    columns = {"prompt": ["p"] * len(rows), "file_name1": [], "file_name2": []}
    for one, two, *scores in rows:
        columns["file_name1"].append(one)
        columns["file_name2"].append(two)
        for side in (1, 2):
            for aspect, score in zip(ASPECTS, scores[side - 1], strict=True):
                columns.setdefault(f"weighted_results{side}_{aspect}", []).append(score)
    columns["prompt_asset"] = [{"bytes": b"x" * 100, "path": "a.png"}] * len(rows)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "train.parquet"
    pq.write_table(pa.table({k: v for k, v in columns.items() if k not in drop}), path)
    return path


def test_hpdv3_prefers_path1_and_keeps_what_the_file_adds(tmp_path):
    file = tmp_path / "a.json"
    item = {"prompt": "p", "path1": "a", "path2": "b", "model1": "m", "confidence": None}
    file.write_text(json.dumps([item]))
    [row] = SOURCES["hpdv3"].rows(file)
    assert (row.first, row.second, row.preference) == ("a", "b", Preference.FIRST)
    assert row.extra == {"model1": "m"}
    assert SOURCES["hpdv3"].data_root(file) == tmp_path


def test_rapidata_prefers_the_larger_sum_and_equal_sums_tie(tmp_path):
    nan = float("nan")
    path = rapidata_file(
        tmp_path,
        [
            ("a.mp4", "b.mp4", (0.9, 0.1, 0.1), (0.5, 0.5, 0.5)),
            ("c.mp4", "d.mp4", (1.0, 1.0, None), (0.5, 0.5, 0.5)),
            ("e.mp4", "f.mp4", (0.5, 0.25, None), (0.25, 0.5, nan)),
        ],
    )
    rows = list(SOURCES["rapidata-t2v"].rows(path))
    assert [r.preference.value for r in rows] == ["second", "first", "tie"]
    assert (rows[0].first, rows[0].second) == ("videos/a.mp4", "videos/b.mp4")
    assert all(r.kind is MediaKind.VIDEO and "prompt_asset" not in r.extra for r in rows)
    assert [r.ignored for r in rows] == [("prompt_asset",), (), ()]
    assert SOURCES["rapidata-t2v"].data_root(path) == tmp_path


def test_rapidata_sums_that_only_binary_tells_apart_tie(tmp_path):
    path = rapidata_file(tmp_path, [("a.mp4", "b.mp4", (0.1, 0.2, 0.3), (0.3, 0.2, 0.1))])
    [row] = SOURCES["rapidata-t2v"].rows(path)
    assert row.preference is Preference.TIE


def test_rapidata_uses_the_capital_folder_where_only_that_is_there(tmp_path):
    path = rapidata_file(tmp_path, [("a.mp4", "b.mp4", (1, 1, 1), (0, 0, 0))])
    (tmp_path / "Videos").mkdir()
    [row] = SOURCES["rapidata-t2v"].rows(path)
    assert row.first == "Videos/a.mp4"


def test_rapidata_i2v_finds_the_local_file_of_a_url(tmp_path):
    path = rapidata_file(tmp_path, [("https://host/x/kling/a.mp4?s=1", "b.mp4", (1, 1, 1), (0, 0, 0))])
    [row] = SOURCES["rapidata-i2v"].rows(path)
    assert (row.first, row.second) == ("videos/kling/a.mp4", "videos/b.mp4")


def test_a_parquet_file_without_a_needed_column_is_refused_by_name(tmp_path):
    path = rapidata_file(tmp_path, [("a", "b", (1, 1, 1), (0, 0, 0))], drop={"weighted_results2_Coherence"})
    with pytest.raises(DatasetError, match="weighted_results2_Coherence"):
        list(SOURCES["rapidata-t2v"].rows(path))


@pytest.mark.parametrize("source", ["rapidata-t2v", "pairs"])
def test_what_is_no_parquet_file_is_refused(tmp_path, source):
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(DatasetError, match="Parquet"):
        list(SOURCES[source].rows(tmp_path / "a.parquet"))


def cot_row(answer, human="Caption: a cat\n\nJudge", **more):
    turns = [{"from": "human", "value": human}, {"from": "gpt", "value": answer}]
    return {"conversations": turns, "images": ["a.png", "b.png"], **more}


def test_imagegen_cot_takes_preference_and_caption_from_the_conversation(tmp_path):
    items = [
        cot_row("<think>Image 1 is better at x</think><answer>Image 2 is better</answer>"),
        cot_row("<answer>Image 1 is better</answer>"),
        cot_row("Both images are equally good"),
        cot_row("<answer>Video 2 is better</answer>", video_fps=2.0),
        cot_row("no idea"),
        {"images": ["a.png"]},
    ]
    (tmp_path / "a.json").write_text(json.dumps(items))
    rows = list(SOURCES["imagegen-cot-reward-5k"].rows(tmp_path / "a.json"))
    good, broken = rows[:4], rows[4:]
    assert [r.preference.value for r in good] == ["second", "first", "tie", "second"]
    assert [r.kind.value for r in good] == ["image", "image", "image", "video"]
    assert good[0].prompt == "a cat"
    assert all(isinstance(r, BrokenRow) for r in broken)


def test_imagegen_cot_reads_answers_as_the_rest_of_winnow_does(tmp_path):
    items = [
        cot_row("<think>x</think><answer>Image 2 is slightly better</answer>"),
        cot_row("<think>x</think><answer>Image 1 is better</answer><answer>Image 2 is better</answer>"),
        cot_row("<think>x</think><answer>Image 1 is not better</answer>"),
        cot_row("<think>Image 1 is better</think>"),
    ]
    (tmp_path / "a.json").write_text(json.dumps(items))
    good, *broken = SOURCES["imagegen-cot-reward-5k"].rows(tmp_path / "a.json")
    assert good.preference.value == "second"
    assert [row.message for row in broken] == [
        "the reply holds several answers that differ",
        "the answer does not clearly name one winner",
        "the answer names no winner",
    ]


def test_the_caption_is_found_in_the_wordings_in_use():
    from backend.domain import prompts

    for template in (v for v in vars(prompts).values() if isinstance(v, str)):
        if f"Caption: {CAPTION_PLACE}" in template:
            assert caption_of(template.replace(CAPTION_PLACE, "two cats: a duel")) == "two cats: a duel"
    assert caption_of("Given a caption and two images, choose.\nText Caption: **[a red car]**") == "a red car"
    assert caption_of("Which is better?\nPrompt: a dog") == "a dog"


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_pairs_reads_the_same_from_every_file_format(tmp_path, suffix):
    rows = [
        {"prompt": 'p, "q"', "first": f"{n}a.png", "second": f"{n}b.png", "preference": value}
        for n, value in enumerate(["first", "Second", "TIE", "A", "b", "C"])
    ]
    file = tmp_path / f"a.{suffix}"
    if suffix == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == "csv":
        import csv

        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    read = list(SOURCES["pairs"].rows(file))
    assert [r.preference.value for r in read] == ["first", "second", "tie"] * 2
    assert [(r.prompt, r.first) for r in read] == [(r["prompt"], r["first"]) for r in rows]
    assert all(r.kind is None for r in read)


def test_pairs_never_guesses_what_a_number_means_and_says_what_to_write(tmp_path):
    base = {"prompt": "p", "first": "a.png", "second": "b.png"}
    numbers, others = [0, 1, 2.0, "0", " 1 ", "1.0"], ["left", "", None, True]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({**base, "preference": v}) for v in numbers + others))
    read = list(SOURCES["pairs"].rows(tmp_path / "a.jsonl"))
    assert all(isinstance(r, BrokenRow) for r in read)
    assert all("write the word" in r.message for r in read[: len(numbers)])
    (tmp_path / "b.csv").write_text(
        "prompt,first,second,preference\n" + "".join(f"p,a.png,b.png,{v}\n" for v in (0, 1, 0))
    )
    assert all(isinstance(r, BrokenRow) for r in SOURCES["pairs"].rows(tmp_path / "b.csv"))


@pytest.mark.parametrize("score", ["0.5", True, float("inf")])
def test_rapidata_skips_a_row_whose_score_is_no_number(tmp_path, score):
    rows = [("a.mp4", "b.mp4", (score,) * 3, (type(score)(),) * 3)]
    if isinstance(score, float):
        rows.append(("c.mp4", "d.mp4", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    read = list(SOURCES["rapidata-t2v"].rows(rapidata_file(tmp_path, rows)))
    if score is True:
        assert read[0].preference is Preference.FIRST  # a column of booleans counts as 0 and 1
        return
    assert isinstance(read[0], BrokenRow) and "weighted_results1_Alignment" in read[0].message
    assert [r.preference for r in read[1:]] == [Preference.FIRST] * (len(rows) - 1)


def test_pairs_csv_reports_broken_rows_with_their_line_and_a_missing_column(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,first,second,preference\np,a,b,first\np,a\np,a,b,tie,x\np,c,d,second\n")
    read = list(SOURCES["pairs"].rows(tmp_path / "a.csv"))
    assert [isinstance(r, BrokenRow) for r in read] == [False, True, True, False]
    assert "line 3" in read[1].message
    (tmp_path / "b.csv").write_text("prompt,first,second\np,a,b\n")
    with pytest.raises(DatasetError, match="preference"):
        list(SOURCES["pairs"].rows(tmp_path / "b.csv"))


def test_a_spec_names_several_files(tmp_path):
    parsed = parse_spec(f"hpdv3:{tmp_path}/a.json,rapidata-t2v:{tmp_path}/b.parquet")
    assert [(s.name, p.name) for s, p in parsed] == [("hpdv3", "a.json"), ("rapidata-t2v", "b.parquet")]


@pytest.mark.parametrize("spec", ["", "a.json", "hpdv3:", "nope:/a", "hpdv3:/a.json,/b.json"])
def test_a_spec_that_names_no_known_source_is_refused_with_those_known(spec):
    with pytest.raises(DatasetError) as caught:
        parse_spec(spec)
    assert "rapidata-i2v" in caught.value.hint
