"""Whose output folder one is, and that two trainings do not share it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from training_folders import Prepare

from backend.cli.hints import in_command
from backend.errors import TrainingError
from backend.training.data import MEDIA, Rows, check_media, data_files
from backend.training.folder import check_free, claim, held, read_spec


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(TrainingError, match="not empty") as caught:
        check_free(tmp_path)
    assert "--output-dir" in in_command(caught.value.hint)


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_folder_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without taking rights away: whoever runs this may have them all."""
    asked = []

    def access(path: Path, mode: int) -> bool:
        asked.append((path, mode))
        return False

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(TrainingError, match="no permission to write") as caught:
        check_free(tmp_path / name)
    assert caught.value.hint
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


def test_a_claimed_folder_is_its_trainings_alone(prepare: Prepare) -> None:
    folder, spec = prepare()
    assert read_spec(folder) == spec
    claim(folder, "out", spec)
    with pytest.raises(TrainingError, match="another training"):
        claim(folder, "another", spec)
    with pytest.raises(TrainingError, match="another training"):
        check_free(folder)


def test_a_folder_that_is_trained_into_is_in_use_until_then(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(TrainingError, match="in use"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


# Holds the folder as the job's process does; its child gets the lock, or joins by itself.
HOLDER = r"""
import subprocess, sys, time
from pathlib import Path
from backend.training.folder import held
child = (
    "import sys, time; from pathlib import Path; from backend.training.folder import joined\n"
    "with joined(Path(sys.argv[1])):\n"
    "    print('in', flush=True); time.sleep(60)"
) if sys.argv[2] == "joins" else "import time; print('in', flush=True); time.sleep(60)"
with held(Path(sys.argv[1])) as lock:
    fds = () if sys.argv[2] == "joins" else (lock,)
    process = subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], pass_fds=fds)
    print(process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("manner", ["joins", "is given the lock"])
def test_a_folder_is_in_use_as_long_as_anything_trains_into_it_whoever_was_killed(tmp_path: Path, manner: str) -> None:
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), manner],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as holder:
        assert holder.stdout is not None
        said = {holder.stdout.readline().strip(), holder.stdout.readline().strip()}
        (worker,) = (int(word) for word in said if word != "in")
        try:
            holder.kill()
            holder.wait()
            with pytest.raises(TrainingError, match="in use"), held(tmp_path):
                pass
        finally:
            os.kill(worker, signal.SIGKILL)
        until_free(tmp_path)


def until_free(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            with held(folder):
                return
        except TrainingError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_rows_are_those_of_the_export_in_order(prepare: Prepare) -> None:
    folder, _ = prepare(sets=("images", "clips"))
    files = data_files(folder)
    rows = Rows(files)
    assert len(rows) == sum(file.rows for file in files)
    kinds = [rows[number].kind for number in range(len(rows))]
    assert [kind.value for kind in kinds] == sorted(kind.value for kind in kinds)
    for number in range(len(rows)):
        row = rows[number]
        # In this workspace the better medium's name says so, and every accepted answer is right.
        if row.kind.value == "image":
            said = 0 if "Image 1 is better</answer>" in row.response else 1
            assert "win" in Path(row.media[said]).name
            assert "lose" in Path(row.media[1 - said]).name


def test_validation_pairs_are_not_trained_on(prepare: Prepare) -> None:
    folder, _ = prepare(sets=("images",), validation=0.4)
    train = Rows([file for file in data_files(folder) if not file.validation])
    held_out = Rows([file for file in data_files(folder) if file.validation])
    assert len(train) and len(held_out)
    assert not {frozenset(row.media) for row in train} & {frozenset(row.media) for row in held_out}


def test_an_edited_export_is_noticed(prepare: Prepare) -> None:
    folder, _ = prepare(sets=("clips",))
    (file,) = data_files(folder)
    lines = file.path.read_text().splitlines()
    file.path.write_text("\n".join([*lines[:-2], "]"]) + "\n")
    with pytest.raises(TrainingError, match="manifest"):
        Rows([file])


@pytest.mark.parametrize("what", ["missing", "changed"])
def test_media_that_went_or_changed_since_the_training_began_are_named(
    prepare: Prepare, tmp_path: Path, what: str
) -> None:
    folder, _ = prepare(sets=("clips",))
    text = (file := data_files(folder)[0].path).read_text()
    copy = tmp_path / "copy.mp4"
    old = Rows(data_files(folder))[0].media[0]
    copy.write_bytes(Path(old).read_bytes())
    file.write_text(text.replace(old, str(copy)))
    assert check_media(folder) == 2 * len(Rows(data_files(folder)))
    assert (folder / "data" / MEDIA).exists()
    assert check_media(folder)
    if what == "missing":
        copy.unlink()
    else:
        copy.write_bytes(b"other")
    with pytest.raises(TrainingError, match=f"copy.mp4: {what}") as caught:
        check_media(folder)
    assert caught.value.hint
