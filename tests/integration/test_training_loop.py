"""The loop closed over one round, with a review in between, and resumed after it was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.demo.dataset import write_demo
from benchmarks import loop as benchmark
from tests.integration.conftest import Winnow

pytestmark = [pytest.mark.judge, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_loop_waits_for_a_review_and_goes_on_without_doing_a_step_twice(
    winnow: Winnow, judge_folder: Path, tmp_path: Path
) -> None:
    for name, seed in (("train", 1), ("held", 2)):
        files = write_demo(tmp_path / name, seed=seed, image_pairs=4, video_pairs=0, wrong_share=0)
        winnow("dataset", "add", f"hpdv3:{files.images}", "--name", name)
    words = [
        "loop",
        "--dataset",
        "train",
        "--holdout",
        "held",
        "--model",
        judge_folder,
        "--rounds",
        1,
        "--samples",
        2,
        "--max-new-tokens",
        120,
        "--device",
        "cpu",
        "--engine",
        "transformers",
        "--policy",
        "agreement",
        "--no-balance",
        "--train",
        "max_steps=1",
        "--pause-for-review",
    ]
    refused = winnow(*[w if w != "held" else "train" for w in words], code=2)
    assert "held-out dataset is the one" in refused.err
    waiting = winnow(*words, "--json").json
    assert (waiting["step"], waiting["round"]) == ("review", 1)
    assert winnow("train", "list", "--json").json == []
    (run,) = [made["run"] for made in waiting["made"]]
    accepted = winnow("run", "predictions", run, "--decision", "accepted", "--json").lines
    dropped = accepted[0]["id"]
    winnow("review", "add", run, "--prediction", dropped, "--ruling", "reject")
    done = winnow("loop", "resume", 1, "--json").json
    assert done["step"] == "done"
    (made,) = done["made"]
    items = winnow("set", "show", made["set"], "--json").json["counts"]["items"]
    assert items == len(accepted) - 1, "the person's ruling counts"
    assert done["before"]["run"] != made["accuracy"]["run"]
    shown = winnow("train", "show", made["training"], "--json").json
    assert [e["run"] for e in shown["evaluations"]] == [made["evaluation"]]
    runs = len(winnow("run", "list", "--json").json)
    assert winnow("loop", "resume", 1, "--json").json["made"] == done["made"]
    assert len(winnow("run", "list", "--json").json) == runs == 3


def test_every_second_row_of_the_benchmarks_other_arm_is_inverted() -> None:
    rows = [{"conversations": [n], "images": [f"{n}a", f"{n}b"]} for n in range(4)]
    inverted = json.loads(benchmark.invert_every_second(json.dumps(rows)))
    assert [row["images"] for row in inverted] == [["0a", "0b"], ["1b", "1a"], ["2a", "2b"], ["3b", "3a"]]
    assert [row["conversations"] for row in inverted] == [row["conversations"] for row in rows]


def test_the_benchmark_runs_on_tiny_sizes_and_writes_its_figures(judge_folder: Path, tmp_path: Path) -> None:
    rows = benchmark.main(
        [
            "--judge",
            str(judge_folder),
            "--out",
            str(tmp_path / "out"),
            "--rounds",
            "1",
            "--samples",
            "1",
            "--image-pairs",
            "8",
            "--video-pairs",
            "0",
            "--held-out",
            "2",
            "--epochs",
            "1",
            "--policy",
            "agreement",
            "--temperature",
            "0",
        ]
    )
    assert [row.judge for row in rows] == ["before", "round 1", "round 1, every second inverted"]
    assert all(row.n == 2 for row in rows)
    figures = json.loads((tmp_path / "out" / "loop.json").read_text())
    assert len(figures["rows"]) == 3
    picture = json.loads((tmp_path / "out" / "loop.plotly.json").read_text())
    assert {trace["name"] for trace in picture["data"]} == {"labels as shown", "every second label inverted"}
