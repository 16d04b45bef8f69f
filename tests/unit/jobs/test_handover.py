"""What a command leaves for its job is read once, by this user alone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.jobs.handover import FOLDER, forget, hand_over, sweep, take


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_it_is_readable_by_this_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / FOLDER).mkdir(0o777)
        hand_over(tmp_path, 7, {"KEY": "secret"})
    finally:
        os.umask(before)
    (file,) = (tmp_path / FOLDER).iterdir()
    assert (mode(tmp_path / FOLDER), mode(file)) == (0o700, 0o600)


def test_it_is_taken_once_and_newer_variables_replace_older_ones(tmp_path: Path) -> None:
    assert take(tmp_path, 7) == {}
    hand_over(tmp_path, 7, {"KEY": "old", "OTHER": "1"})
    hand_over(tmp_path, 7, {"KEY": "new\nline ü"})
    assert take(tmp_path, 8) == {}
    assert take(tmp_path, 7) == {"KEY": "new\nline ü"}
    assert take(tmp_path, 7) == {}
    hand_over(tmp_path, 7, {"KEY": "x"})
    forget(tmp_path, 7)
    forget(tmp_path, 7)
    assert not list((tmp_path / FOLDER).iterdir())


def test_a_link_in_its_place_is_neither_written_through_nor_read(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps({"KEY": "theirs"}))
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "job-7.json").symlink_to(theirs)
    assert take(tmp_path, 7) == {}
    hand_over(tmp_path, 7, {"KEY": "secret"})
    assert json.loads(theirs.read_text()) == {"KEY": "theirs"}

    other = tmp_path / "other"
    other.mkdir()
    (other / FOLDER).symlink_to(tmp_path)
    with pytest.raises(StoreError, match="cannot be written"):
        hand_over(other, 7, {"KEY": "secret"})


def test_what_a_killed_command_left_is_deleted_and_what_is_waited_for_is_not(tmp_path: Path) -> None:
    for job_id in (1, 2, 3):
        hand_over(tmp_path, job_id, {"KEY": str(job_id)})
    for job_id in (1, 2):
        os.utime(tmp_path / FOLDER / f"job-{job_id}.json", (0, 0))
    sweep(tmp_path, {2})
    assert [take(tmp_path, job_id) for job_id in (1, 2, 3)] == [{}, {"KEY": "2"}, {"KEY": "3"}]
