"""Captions out of training rows that other scripts wrote."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest

from backend.datasets.base import BrokenRow, RowProblem
from backend.datasets.instructions import caption_of, shared_end
from backend.datasets.registry import SOURCES

LONG = """You compare two images. Consistency with the prompt: does each show what is asked?
The caption for the generated images is: 「a blue whale」

1. Name: ⏎ Image 1 (x/10) - …
Prompt adherence counts most. 「Image 1」 is the first."""


@pytest.mark.parametrize(
    ("instruction", "caption"),
    [
        (
            "Choose.\n\nText Caption: [A lighthouse at dusk.\n\nIn the foreground: two seals.]\n\nJudge.",
            "A lighthouse at dusk.\n\nIn the foreground: two seals.",
        ),
        ("Your task is as follows: Text Caption: [a [red] car [x]].\nJudge [Image 1].", "a [red] car [x]"),
        ("Text Caption: [smiley :] face]\n\nJudge.", "smiley :] face"),
        ("Text Caption: [a cat] Please compare.", "a cat"),
        ("Text Caption: **[a red car]**", "a red car"),
        ("Text Caption: [a 「cat」 sign]\nJudge", "a 「cat」 sign"),
        (LONG, "a blue whale"),
        ("Compare the two images for 「a 「very」 blue whale」 and answer.", "a 「very」 blue whale"),
        ("Caption: \"a 'cat'\"\n\nJudge", "a 'cat'"),
        ('Caption: "Stop" says the sign\n\nJudge', '"Stop" says the sign'),
        ("<image><image>Choose.\nPrompt: a dog", "a dog"),
        ("Choose the better image. Caption: a dog\n\nJudge", "a dog"),
        ("Caption: a sign that says <image>\n\nJudge", "a sign that says <image>"),
    ],
)
def test_the_caption_is_the_whole_of_what_its_marks_enclose(instruction: str, caption: str) -> None:
    assert caption_of(instruction) == caption


@pytest.mark.parametrize(
    "instruction",
    [
        "Text Caption: [a cat\n\nJudge Image 1",
        "Text Caption: [a ] b\nJudge ] c",
        "Example:\nCaption: a dog\n\nNow:\nCaption: a cat",
        "The caption is 「a」. The prompt is 「b」.",
    ],
)
def test_a_caption_whose_end_or_place_is_in_doubt_is_not_guessed(instruction: str) -> None:
    with pytest.raises(RowProblem):
        caption_of(instruction)


@pytest.mark.parametrize(
    "instruction",
    ["Choose the better image", "Does each image follow the caption: subjects, counts?", "「a」 or 「b」?", ""],
)
def test_an_instruction_without_a_caption_gives_none(instruction: str) -> None:
    assert caption_of(instruction) == ""


def rows(tmp_path: Path, humans: list[str], **more: object) -> list:
    items = [
        {
            "conversations": [
                {"from": "human", "value": human},
                {"from": "gpt", "value": "<answer>Image 1 is better</answer>"},
            ],
            "images": [f"{n}a.png", f"{n}b.png"],
            **more,
        }
        for n, human in enumerate(humans)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(items))
    return list(SOURCES["imagegen-cot-reward-5k"].rows(tmp_path / "rows.json"))


def test_what_all_rows_end_with_tells_where_captions_of_several_paragraphs_end(tmp_path):
    captions = ["one.\n\ntwo.", "three.", "four:\nfive.\n\nsix."]
    found = rows(tmp_path, [f"Caption: {c}\nJudge both.\n\nAnswer." for c in captions])
    assert [row.prompt for row in found] == captions
    assert shared_end(["a\n\nb", "a\n\nb"]) is None


def test_where_no_text_in_common_stands_behind_captions_of_paragraphs_they_are_not_cut(tmp_path):
    found = rows(tmp_path, ["Caption: one.\n\ntwo", "Caption: three"])
    assert isinstance(found[0], BrokenRow) and "ends" in found[0].message
    assert found[1].prompt == "three"


def test_a_row_without_a_caption_is_broken_and_says_so(tmp_path):
    [row] = rows(tmp_path, ["Choose the better image"])
    assert isinstance(row, BrokenRow) and "no caption" in row.message


def test_the_instruction_may_stand_in_system_as_a_key_or_a_turn(tmp_path):
    turn = "**Image 1:**<image>\n**Image 2:**<image>"
    [row] = rows(tmp_path, [turn], system="Text Caption: [a fox]\nJudge.")
    assert row.prompt == "a fox" and not row.ignored
    item = {
        "conversations": [
            {"from": "system", "value": "Caption: a fox"},
            {"from": "human", "value": turn},
            {"from": "gpt", "value": "<answer>Video 2 is better</answer>"},
        ],
        "videos": ["a.mp4", "b.mp4"],
    }
    (tmp_path / "one.jsonl").write_text(json.dumps(item))
    [row] = SOURCES["imagegen-cot-reward-5k"].rows(tmp_path / "one.jsonl")
    assert (row.prompt, row.kind.value, row.preference.value) == ("a fox", "video", "second")


def test_a_row_of_several_replies_is_broken(tmp_path):
    [row] = rows(
        tmp_path,
        ["Caption: a"],
        conversations=[{"from": "human", "value": "Caption: a"}, *[{"from": "gpt", "value": "x"}] * 2],
    )
    assert isinstance(row, BrokenRow) and "more than one reply" in row.message


@pytest.mark.parametrize("piece", ["\n", " ", "[", "]", "「", '"', "caption ", "caption:\n", "**", "<image>"])
def test_looking_for_a_caption_takes_time_in_proportion_to_the_text(piece: str) -> None:
    began = time.perf_counter()
    for text in (piece * 100_000, "Caption: [" + piece * 100_000, "x" + piece * 100_000):
        with suppress(RowProblem):
            caption_of(text)
    assert time.perf_counter() - began < 20
