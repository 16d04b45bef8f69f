"""Commands that are given something wrong say so in one line, and leave nothing behind."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.cli.main import main
from tests.integration.conftest import Result, Winnow
from tests.integration.test_bad_input import one_line

TEXT = "<think>why</think><answer>{}</answer>"
SAYS = ["Image 1 is better", "Image 2 is better", "Both images are equally good", "no idea", "?"]


@pytest.fixture
def winnow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Winnow:
    """The command in this process: none of it works in the background here."""

    def call(*words: object, code: int = 0) -> Result:
        capsys.readouterr()
        left = main([*map(str, words), "--workspace", str(tmp_path / "ws")])
        out, err = capsys.readouterr()
        assert left == code, f"exit {left}\n{out}\n{err}"
        assert "Traceback" not in err
        return Result(left, out, err)

    return call


@pytest.fixture
def run(winnow: Winnow, tmp_path: Path) -> int:
    """A run over five pairs: right, wrong, a tie, and two texts that cannot be read."""
    rows = [{"prompt": "p", "path1": f"{n}a.png", "path2": f"{n}b.png"} for n in range(5)]
    (tmp_path / "d.json").write_text(json.dumps(rows))
    texts = [json.dumps({"index": n, "text": TEXT.format(said)}) for n, said in enumerate(SAYS)]
    (tmp_path / "texts.jsonl").write_text("\n".join(texts))
    winnow("dataset", "add", f"hpdv3:{tmp_path / 'd.json'}", "--name", "d", "--no-check-media")
    words = ["run", "import", "--dataset", "d", "--predictions", tmp_path / "texts.jsonl"]
    return int(winnow(*words, "--json").json["id"])


def test_a_missing_file_or_unknown_name_is_a_failure_and_an_impossible_word_wrong_usage(
    winnow: Winnow, run: int, tmp_path: Path
) -> None:
    none = tmp_path / "none"
    failures: list[list[Any]] = [
        ["review", "import", run, none],
        ["run", "import", "--dataset", "d", "--predictions", none],
        ["run", "filter", run, "--policy", "nosuch"],
        ["run", "import", "--dataset", "x", "--predictions", tmp_path / "texts.jsonl"],
        ["convert", "t2i", "--filtered-samples-path", none, "--output-path", tmp_path / "o"],
        ["prepare", "t2i", "--model-path", "m", "--data-path", f"hpdv3:{none}", "--output-dir", "o"],
        ["run", "start", "--dataset", "d", "--model", "m", "--task-instruction", "none.txt"],
        ["run", "log", run],
    ]
    for words in failures:
        one_line(winnow(*words, code=1), "")
    wrong: list[list[Any]] = [
        ["run", "predictions", run, "--reason", "foo"],
        ["run", "predictions", run, "--decision", "foo"],
        ["run", "start", "--dataset", "d", "--model", "m", "--task-instruction", "Judge."],
        ["run", "start", "--dataset", "d", "--model", "m", "--video-fps", "nan"],
        ["convert", "t2v", "--filtered-samples-path", none, "--output-path", "o", "--video-fps", "nan"],
        ["convert", "t2i", "--filtered-samples-path", none, "--output-path", "o", "--video-fps", "2"],
        ["dataset", "add", f"hpdv3:{tmp_path / 'd.json'}", "--name", ""],
    ]
    for words in wrong:
        assert winnow(*words, code=2).err.startswith("error: ")
    assert [row["id"] for row in winnow("run", "list", "--json").json] == [run]


def test_prepare_refuses_the_other_medium_and_leaves_no_dataset(winnow: Winnow, run: int, tmp_path: Path) -> None:
    words = ["prepare", "t2v", "--model-path", "m", "--data-path", f"hpdv3:{tmp_path / 'd.json'}"]
    result = winnow(*words, "--output-dir", tmp_path / "prep", code=1)
    one_line(result, "row 0 is a pair of images, where videos are wanted")
    assert [row["name"] for row in winnow("dataset", "list", "--json").json] == ["d"]
    assert not (tmp_path / "prep").exists()


def test_an_empty_workspace_is_none_and_not_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["--workspace", ""], ["--workspace="]):
        assert main(["run", "list", *words]) == 2
        one_line(Result(2, "", capsys.readouterr().err), "needs a folder")
    assert not list(tmp_path.iterdir())


def test_rulings_are_written_whole_or_not_at_all_and_read_back_unchanged(
    winnow: Winnow, run: int, tmp_path: Path
) -> None:
    winnow("review", "add", run, "--index", 0, "--ruling", "reject", "--note", "é")
    folder = tmp_path / "folder"
    folder.mkdir()
    one_line(winnow("review", "export", run, folder, code=1), "cannot be written")
    (tmp_path / "file").write_text("")
    one_line(winnow("review", "export", run, tmp_path / "file" / "x", code=1), "cannot be written")
    assert not list(tmp_path.glob("*.partial"))
    winnow("review", "export", run, tmp_path / "r.jsonl")
    assert "0 rulings stored" in winnow("review", "import", run, tmp_path / "r.jsonl").out
    written = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert winnow("review", "export", run).lines == written
    (tmp_path / "latin.jsonl").write_bytes((tmp_path / "r.jsonl").read_text().encode("latin-1"))
    result = winnow("review", "import", run, tmp_path / "latin.jsonl", code=1)
    one_line(result, "latin.jsonl:1: is not UTF-8")


def test_what_is_accepted_is_in_the_set_or_said_not_to_be(winnow: Winnow, run: int, tmp_path: Path) -> None:
    for index, said in ((2, "naming no better side"), (3, "without a readable answer")):
        words = ["review", "add", run, "--index", index, "--ruling", "accept"]
        one_line(winnow(*words, code=1), said)
    policy = json.dumps({"name": "ties", "accept_ties": True, "require_agreement": False})
    accepted = winnow("run", "filter", run, "--policy", policy, "--json").json["counts"]["accepted"]
    made = winnow("set", "create", "s", "--run", run, "--json")
    lost = accepted - made.json["counts"]["items"]
    assert lost == 1
    assert "1 accepted cannot be trained on (1 naming no better side)" in made.err


def test_a_split_that_draws_no_pair_says_so(winnow: Winnow, run: int, tmp_path: Path) -> None:
    winnow("set", "create", "s", "--run", run)
    words = ["export", "s", "--format", "lightrft", "--out", tmp_path / "o", "--split", "0.000001"]
    assert "drew no pair for validation" in winnow(*words).err
    words = ["export", "s", "--format", "lightrft", "--out", tmp_path / "o", "--split", "0.999999"]
    assert "drew every pair for validation" in winnow(*words).err


def test_a_report_tells_rows_from_lines(winnow: Winnow, tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    row = json.dumps({"prompt": "p", "path1": "a.png", "path2": "b.png"})
    file.write_text(f"{row}\n\n{{broken\n")
    winnow("dataset", "add", f"hpdv3:{file}", "--name", "d", "--no-check-media")
    assert f"{file} row 1: line 3: invalid JSON" in winnow("dataset", "show", "d").out


def test_texts_are_read_again_by_command_and_what_changed_is_counted(winnow: Winnow, run: int, tmp_path: Path) -> None:
    before = winnow("run", "predictions", run, "--json").lines
    with sqlite3.connect(tmp_path / "ws" / "winnow.db") as connection:
        connection.execute("UPDATE verdicts SET answer = NULL, flaws = 1 WHERE answer = 'first'")
        connection.execute("UPDATE runs SET reader = 1")
    assert "read by an older Winnow" in winnow("run", "show", run).out
    assert "read by an older Winnow" in winnow("run", "list").out
    said = winnow("run", "reparse", "--all").out
    assert "of 5 texts 1 would be read otherwise, 1 with another answer" in said
    assert "none → first: 1" in said
    assert winnow("run", "predictions", run, "--json").lines != before  # nobody said --yes
    said = winnow("run", "reparse", run, "--yes").out
    assert "5 texts read again: 1 verdicts changed, 1 of them their answer" in said
    assert "older" not in winnow("run", "list").out
    assert winnow("run", "reparse", "--all").out.strip() == "every run was read by this version"
    assert winnow("run", "predictions", run, "--json").lines == before
    again = winnow("run", "reparse", run, "--json").json["reparsed"]
    assert again == {"read": 5, "changed": 0, "answers": 0, "decisions": 0}
    one_line(winnow("run", "reparse", 99, code=1), "there is no run 99")


def test_a_number_or_a_name_that_no_database_holds_is_one_line(winnow: Winnow, run: int, tmp_path: Path) -> None:
    large = 10**30
    one_line(winnow("run", "show", large, code=1), "too large")
    one_line(winnow("set", "create", "s", "--run", large, code=1), "too large")
    words = ["review", "add", run, "--ruling", "accept"]
    one_line(winnow(*words, "--index", large, code=1), "too large")
    one_line(winnow(*words, "--index", 0, "--note", "\udcff", code=1), "the note contains half of a character")
    file = f"hpdv3:{tmp_path / 'd.json'}"
    one_line(winnow("dataset", "add", file, "--name", "\udcff", code=1), "not UTF-8")
    one_line(winnow("dataset", "add", file, "--name", "n" * 201, code=2), "too long")
    start = ["run", "start", "--dataset", "d", "--engine", "openai", "--endpoint", "http://h/v1"]
    one_line(winnow(*start, "--model", "m", "--seed", large, code=2), "--seed")
    refused = winnow(*start, "--model", "m", "--samples", 1 << 17, code=2)
    assert "65536" in refused.err
    none = ["--engine", "scripted", "--scripted-file", tmp_path / "none"]
    words = ["run", "start", "--dataset", "d", "--model", "m", *none]
    one_line(winnow(*words, code=1), "no such file")
    one_line(winnow("run", "start", "--dataset", "d", "--model", "", code=1), "no model was given")
    assert [row["id"] for row in winnow("run", "list", "--json").json] == [run]


def test_a_database_whose_driver_is_not_installed_is_one_line(winnow: Winnow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("WINNOW_DATABASE_URL", "postgresql+psycopg://u@127.0.0.1:1/x")
    one_line(winnow("run", "list", code=1), "psycopg, which postgresql+psycopg needs, is not installed")


def test_a_loop_whose_numbers_no_row_holds_is_refused_and_the_list_of_loops_stays_readable(
    winnow: Winnow, run: int
) -> None:
    words = ["loop", "--dataset", "d", "--model", "m", "--engine", "openai"]
    assert "--seed" in winnow(*words, "--seed", 10**30, code=2).err
    assert "--samples" in winnow(*words, "--samples", 10**12, code=2).err
    one_line(winnow("loop", "--dataset", "d", "--model", " ", code=2), "needs a dataset and a model")
    assert winnow("loop", "list", "--json").json == []


def test_prepare_refuses_an_output_folder_that_cannot_be_before_a_judge_works_for_it(
    winnow: Winnow, run: int, tmp_path: Path
) -> None:
    words = ["prepare", "t2i", "--data-path", f"hpdv3:{tmp_path / 'd.json'}", "--engine", "openai"]
    words += ["--model-path", "m", "--output-dir"]
    file = tmp_path / "texts.jsonl"
    for folder, said in ((tmp_path, "is not empty"), (file, "cannot be"), (file / "x", "cannot be")):
        one_line(winnow(*words, folder, code=1), said)
    assert [row["name"] for row in winnow("dataset", "list", "--json").json] == ["d"]


LISTINGS = ["dataset show d", "run list --json", "run predictions 1", "run predictions 1 --json"]


@pytest.mark.parametrize("listing", [*LISTINGS, "--help"])
def test_output_that_nobody_reads_is_no_failure_and_one_that_fits_nowhere_is_one_line(
    run: int, tmp_path: Path, listing: str
) -> None:
    command = [sys.executable, "-c", "import sys; from backend.cli import main; sys.exit(main())"]
    command += [*listing.split(), "--workspace", str(tmp_path / "ws")]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        unread = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)
    assert (unread.returncode, unread.stderr) == (0, "")
    with Path("/dev/full").open("w") as full:
        unwritten = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert unwritten.returncode == 1
    one_line(Result(1, "", unwritten.stderr), "the disk is full")


def test_an_interrupt_while_the_command_loads_is_no_traceback() -> None:
    program = """
import sys
class Interrupts:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
from backend.cli import main
"""
    left = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (left.returncode, left.stderr) == (130, "")


def test_a_disk_that_takes_no_more_is_one_line_with_a_hint(winnow: Winnow, run: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        result = winnow("review", "add", run, "--index", 0, "--ruling", "accept", code=1)
        one_line(result, "winnow.db: ")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    winnow("review", "add", run, "--index", 0, "--ruling", "accept")
    assert len(winnow("review", "export", run).lines) == 1
