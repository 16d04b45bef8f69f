"""``winnow prepare`` and ``winnow convert`` end to end, with the demo judge on rendered pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.demo.dataset import write_demo
from tests.integration.conftest import Winnow

pytestmark = pytest.mark.judge

PAIRS = 24


def better_of(demo: Path, kind: str) -> dict[frozenset[str], str]:
    """Per pair of files: the one that is better by construction, never what was recorded."""
    truth = json.loads((demo / "truth.json").read_text())["better_first"][kind]
    pairs = {}
    for number, first_is_better in enumerate(truth):
        if kind == "image":
            names = [str(demo / f"t2i/images/{number:04d}{side}.jpg") for side in "ab"]
        else:
            names = [str(demo / f"t2v/videos/{number:04d}_{side}.mp4") for side in (1, 2)]
        pairs[frozenset(names)] = names[0 if first_is_better else 1]
    return pairs


def named(row: dict[str, Any]) -> str:
    response = row["conversations"][1]["value"]
    (number,) = (n for n in (1, 2) if f" {n} is better</answer>" in response)
    return str(row["images"][number - 1])


@pytest.mark.parametrize("kind", ["image", "video"])
def test_prepare_leaves_a_training_file_that_convert_makes_again_and_every_label_is_right(
    winnow: Winnow, judge_folder: Path, tmp_path: Path, kind: str
) -> None:
    demo = tmp_path / "demo"
    counts = {"image_pairs": PAIRS, "video_pairs": 2}
    if kind == "video":
        counts = {"image_pairs": 2, "video_pairs": PAIRS}
    # No recorded preference is wrong here, so that each accepted answer names the better side.
    files = write_demo(demo, seed=3, wrong_share=0.0, **counts)
    task, spec = ("t2i", f"hpdv3:{files.images}")
    if kind == "video":
        task, spec = ("t2v", f"rapidata-t2v:{files.videos}")
    out = tmp_path / "out"
    winnow(
        "prepare",
        task,
        "--model_path",
        judge_folder,
        "--data_path",
        spec,
        "--output_dir",
        out,
        "--batch_size",
        12,
        "--max_new_tokens",
        256,
        "--engine",
        "transformers",
        *(["--video_fps", "2.0"] if kind == "video" else []),
    )
    training = json.loads((out / "rejection_sampling_train.json").read_text())
    filtered = json.loads((out / "filtered_samples.json").read_text())
    assert "Filtered samples" in (out / "filtered_samples_stats.txt").read_text()
    assert 0 < len(training) == len(filtered) <= PAIRS
    better = better_of(demo, kind)
    assert len(better) == PAIRS
    for row in training:
        assert named(row) == better[frozenset(row["images"])]
        assert row.get("video_fps") == (2.0 if kind == "video" else None)
    # The judge saw the better side in both places, or the test would show nothing.
    places = {row["images"].index(named(row)) for row in training}
    assert places == {0, 1}

    again = tmp_path / "again" / "train.json"
    report = winnow(
        "convert", task, "--filtered-samples-path", out / "filtered_samples.json", "--output-path", again, "--json"
    ).json
    assert json.loads(again.read_text()) == training
    assert (report["rows"], report["written"], report["skipped"]) == (len(filtered), len(filtered), 0)
    assert report["inverted"] == sum(row["images"][1] == named(row) for row in training)
    refused = winnow(
        "convert",
        task,
        "--filtered-samples-path",
        out / "rejection_sampling_train.json",
        "--output-path",
        tmp_path / "no.json",
        code=1,
    )
    assert "written by Winnow" in refused.err
    assert not (tmp_path / "no.json").exists()
