"""The rows that are trained on: read where they lie, and refused when something changed since."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from training_folders import Prepare

from backend.cli.hints import in_command
from backend.domain.pairs import MediaKind
from backend.errors import TrainingError
from backend.training.data import Rows, check_media, data_files
from backend.training.failures import explain
from backend.training.folder import read_json

TORCHRUN = """[rank1]: Traceback (most recent call last):
[rank1]:   File "train.py", line 1, in <module>
[rank1]: ModuleNotFoundError: No module named 'librosa'
E1125 16:38:20 torch/distributed/elastic/multiprocessing/api.py:1002] failed (exitcode: 1)
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
[0]:
  error_file: <N/A>
============================================================"""


def test_rows_are_those_of_the_export_in_shown_order(prepare: Prepare) -> None:
    folder, _ = prepare()
    files = data_files(folder)
    assert [file.kind for file in files] == [MediaKind.IMAGE, MediaKind.VIDEO]
    exported = [row for file in files for row in json.loads(file.path.read_text())]
    rows = Rows(files)
    assert len(rows) == len(exported) > 4
    for row, value in zip(rows, exported, strict=True):
        assert row.response == value["conversations"][1]["value"]
        assert [Path(path).name for path in row.media] == [Path(path).name for path in value["images"]]
        assert all(Path(path).is_file() for path in row.media)


def test_no_pair_is_on_both_sides_of_the_validation_split(prepare: Prepare) -> None:
    folder, _ = prepare(sets=("images",), validation=0.3)
    sides = {
        held_out: {
            frozenset(row.media) for file in data_files(folder) if file.validation is held_out for row in Rows([file])
        }
        for held_out in (False, True)
    }
    assert sides[True] and sides[False]
    assert not sides[True] & sides[False]


def test_a_file_that_lost_rows_is_refused(prepare: Prepare) -> None:
    folder, _ = prepare()
    file = data_files(folder)[0]
    file.path.write_text("".join(file.path.read_text().splitlines(keepends=True)[:-3]))
    with pytest.raises(TrainingError, match="its manifest says"):
        Rows([file])


def test_a_medium_that_changed_or_went_after_the_start_is_named(prepare: Prepare, tmp_path: Path) -> None:
    folder, _ = prepare()
    count = check_media(folder)
    assert check_media(folder) == count > 8
    known = read_json(folder / "data" / "media.json")
    path = next(iter(known))
    state = Path(path).stat()
    try:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000_000))
        with pytest.raises(TrainingError, match="changed since the training began") as caught:
            check_media(folder)
        assert path in caught.value.message
    finally:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    away = tmp_path / "away"
    Path(path).rename(away)
    try:
        with pytest.raises(TrainingError, match="missing"):
            check_media(folder)
    finally:
        away.rename(path)


@pytest.mark.parametrize(
    ("words", "code", "meaning", "knob"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried", 1, "out of GPU memory", "--micro-tr"),
        ("EADDRINUSE, message: address already in use", 1, "the port is taken", "--master-port"),
        ("OSError: [Errno 28] No space left on device", 1, "the disk is full", "resume"),
        ("ValueError: something", 3, "exit code 3: ValueError: something", "log"),
        ("step 4 of 9", -9, "killed by signal 9", "memory"),
        (TORCHRUN, 1, "exit code 1: ModuleNotFoundError: No module named 'librosa'", "log"),
    ],
)
def test_a_trainers_last_words_are_explained(tmp_path: Path, words: str, code: int, meaning: str, knob: str) -> None:
    log = tmp_path / "training.log"
    log.write_text(f"before\n{words}\n")
    message, hint = explain(log, code)
    assert meaning in message
    assert knob in in_command(hint)


def test_what_an_earlier_attempt_said_does_not_explain_this_one(tmp_path: Path) -> None:
    log = tmp_path / "training.log"
    log.write_text("torch.OutOfMemoryError: CUDA out of memory.\n")
    before = log.stat().st_size
    with log.open("a") as stream:
        stream.write("ValueError: something\n")
    assert explain(log, 3, before)[0].endswith("exit code 3: ValueError: something")
