"""The invariant with answers that a real judge inferred from the pixels of rendered pairs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from backend.demo.dataset import write_demo
from tests.integration.conftest import Winnow
from tests.integration.test_invariant import exported_rows, resolve

pytestmark = pytest.mark.judge

IMAGES, VIDEOS = 16, 8


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_row_of_every_format_names_the_medium_that_the_judge_named(
    winnow: Winnow, judge_folder: Path, tmp_path: Path
) -> None:
    files = write_demo(tmp_path / "demo", seed=11, image_pairs=IMAGES, video_pairs=VIDEOS)
    truth = json.loads(files.truth.read_text())["better_first"]
    wanted: set[tuple[str, str]] = set()
    runs = []
    specs = {"image": f"hpdv3:{files.images}", "video": f"rapidata-t2v:{files.videos}"}
    right = disputed = 0
    for kind, spec in specs.items():
        winnow("dataset", "add", spec, "--name", kind)
        run = winnow(
            "run",
            "start",
            "--dataset",
            kind,
            "--model",
            judge_folder,
            "--engine",
            "transformers",
            "--order",
            "both",
            "--batch-size",
            16,
            "--max-new-tokens",
            256,
            "--wait",
            "--json",
        ).json
        runs.append(run["id"])
        rows = winnow("run", "predictions", run["id"], "--json").lines
        assert len(rows) == 2 * (IMAGES if kind == "image" else VIDEOS)
        # A person overrules the filter where it rejects a readable answer, now and then.
        overruled = [row for row in rows if row["decision"] == "rejected" and row["answer"]][:3]
        for row in overruled:
            winnow("review", "add", run["id"], "--prediction", row["id"], "--ruling", "accept")
        kept = [row for row in rows if row["decision"] == "accepted"] + overruled
        assert {row["order"] for row in kept} == {"dataset", "swapped"}
        for row in kept:
            shown = media_as_shown(tmp_path / "demo", kind, row)
            answered = shown[0 if row["answer"] == "first" else 1]
            wanted.add((digest(answered), digest(shown[0])))
            better_shown_first = truth[kind][row["index"]] == (row["order"] == "dataset")
            agrees = (row["answer"] == "first") == better_shown_first
            right += agrees
            disputed += not agrees
    # The judge looks: what is accepted is mostly the side that is better by construction.
    assert right > 2 * disputed
    winnow("set", "create", "s", "--run", runs[0], "--run", runs[1])
    for name in ("lightrft", "sharegpt", "parquet", "jsonl"):
        for bundle in ([], ["--bundle"]):
            out = tmp_path / f"out-{name}{''.join(bundle)}"
            winnow("export", "s", "--format", name, "--out", out, *bundle)
            found = set()
            for response, media in all_rows(out, name):
                number = 1 if " 1 is better</answer>" in response else 2
                assert f" {number} is better</answer>" in response
                paths = [resolve(out, path) for path in media]
                found.add((digest(paths[number - 1]), digest(paths[0])))
            assert found == wanted
            assert len(all_rows(out, name)) == right + disputed


def media_as_shown(demo: Path, kind: str, row: dict[str, Any]) -> list[Path]:
    if kind == "image":
        media = [demo / f"t2i/images/{row['index']:04d}{side}.jpg" for side in "ab"]
    else:
        media = [demo / f"t2v/videos/{row['index']:04d}_{side}.mp4" for side in (1, 2)]
    return media if row["order"] == "dataset" else media[::-1]


def all_rows(folder: Path, name: str) -> list[tuple[str, list[str]]]:
    """As :func:`exported_rows`, where ShareGPT's videos stand under a key of their own."""
    if name != "sharegpt":
        return exported_rows(folder, name)
    rows: list[tuple[str, list[str]]] = []
    for file in sorted(folder.glob("winnow*.json")):
        for row in json.loads(file.read_text()):
            media = row.get("images") or row["videos"]
            rows.append((row["conversations"][-1]["value"], media))
    return rows
