"""A disk that is really full: a tmpfs of a few hundred kilobytes, or a file-size limit of the kernel."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Result, Winnow
from tests.integration.test_bad_input import one_line
from tests.integration.test_runs import wait_for


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own at the workspace's place; ``grow`` gives it more room."""
    folder = tmp_path / "ws"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("a small file system cannot be mounted here (it takes root)")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def grow(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)


def rows(file: Path, count: int) -> Path:
    file.write_text(
        json.dumps(
            [{"prompt": f"caption {n} " + "x" * 300, "path1": f"{n}a.png", "path2": f"{n}b.png"} for n in range(count)]
        )
    )
    return file


def test_an_import_onto_a_full_disk_says_so_and_goes_on_when_there_is_room(
    winnow: Winnow, small_disk: Path, tmp_path: Path
) -> None:
    file = rows(tmp_path / "d.json", 4000)
    words = ["dataset", "add", f"hpdv3:{file}", "--name", "d", "--no-check-media", "--json"]
    one_line(winnow(*words, code=1), "full")
    listed = winnow("dataset", "list", "--json").json
    assert {row["status"] for row in listed} <= {"importing"}
    grow(small_disk)
    assert winnow(*words).json["pairs"] == 4000


def test_a_run_whose_store_and_log_fill_the_disk_stops_and_resumes_without_loss(
    winnow: Winnow, small_disk: Path, visible_winners: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    script = tmp_path / "long.jsonl"
    text = "<think>" + "long " * 8_000 + "</think><answer>Image 1 is better</answer>"
    script.write_text(json.dumps({"text": text}) + "\n")
    run = winnow(
        "run",
        "start",
        "--dataset",
        "d",
        "--model",
        "m",
        "--engine",
        "scripted",
        "--scripted-file",
        script,
        "--order",
        "both",
        "--samples",
        4,
        "--json",
    ).json
    log = small_disk / "logs" / f"run-{run['id']}.log"
    wait_for(lambda: log.exists() and "full" in log.read_text(errors="replace"))
    grow(small_disk)
    state = wait_for(
        lambda: (
            (shown := winnow("run", "show", run["id"], "--json").json)["status"] in ("failed", "interrupted") and shown
        )
    )
    assert state["hint"]
    before = winnow("run", "predictions", run["id"], "--json").lines
    assert len(before) < 96
    winnow("run", "resume", run["id"], "--wait")
    after = winnow("run", "predictions", run["id"], "--json").lines
    assert len({(row["key"], row["order"], row["sample"]) for row in after}) == len(after) == 96
    assert all(row["text"] == text for row in after)
    assert {row["id"] for row in before} <= {row["id"] for row in after}


@pytest.mark.parametrize("name", ["lightrft", "sharegpt", "parquet", "jsonl"])
def test_an_export_that_meets_the_limit_of_the_disk_leaves_nothing_under_a_final_name(
    winnow: Winnow, visible_winners: Path, tmp_path: Path, name: str
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    texts = tmp_path / "texts.jsonl"
    # Different words, so that no format packs them small, and no digits, which are slow to read.
    letters = str.maketrans("0123456789", "ghijklmnop")
    reasoning = " ".join(f"{number:x}" for number in range(40_000)).translate(letters)
    text = f"<think>{reasoning}</think><answer>Image 1 is better</answer>"
    texts.write_text("".join(json.dumps({"index": n, "text": text}) + "\n" for n in range(12)))
    run = winnow("run", "import", "--dataset", "d", "--predictions", texts, "--json").json
    winnow("set", "create", "s", "--run", run["id"])
    out = tmp_path / "out"
    words = ["export", "s", "--format", name, "--out", str(out), "--workspace", tmp_path / "ws"]
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", *words],
        capture_output=True,
        text=True,
        # The kernel refuses every byte beyond, in any file of this process and of no other.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1, done.stderr
    one_line(Result(done.returncode, done.stdout, done.stderr), "cannot be written")
    assert list(out.iterdir()) == []
    winnow("export", "s", "--format", name, "--out", out)
    assert (out / "manifest.json").is_file()
    assert not list(out.glob("*.partial"))
