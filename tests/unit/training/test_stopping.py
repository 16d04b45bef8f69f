"""How a trainer's command is ended, and how long it is waited for."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.cli.hints import in_command
from backend.training import stopping
from backend.training.base import Checkpoint, Command, Metric
from backend.training.folder import STOP
from backend.training.registry import TRAINERS
from backend.training.stopping import LEAST_GRACE_S, MOST_GRACE_S, UNBEGUN_GRACE_S, end, grace_of, resume_words


def steps(*times: float | None) -> list[Metric]:
    return [Metric(step=number, loss=1.0, time=time) for number, time in enumerate(times, start=1)]


def test_the_grace_is_twice_the_longest_time_between_two_steps() -> None:
    assert grace_of(steps(100, 140, 150), since=50, now=155) == 80


def test_a_step_that_is_under_way_counts_as_long_as_it_has_taken() -> None:
    assert grace_of(steps(100, 101), since=50, now=161) == 120


def test_the_grace_has_bounds() -> None:
    assert grace_of(steps(100, 100.5, 101), since=50, now=101) == LEAST_GRACE_S
    assert grace_of(steps(100, 4000), since=50, now=4001) == MOST_GRACE_S


def test_what_was_before_this_attempt_says_nothing_about_a_step() -> None:
    """Hours may lie between a stop and a resume."""
    assert grace_of(steps(100, 110, 90_001, 90_041), since=90_000, now=90_041) == 80
    assert grace_of(steps(100, 110), since=90_000, now=90_100) == UNBEGUN_GRACE_S


def test_a_trainer_that_tells_no_times_gets_the_least() -> None:
    assert grace_of(steps(None, None), since=50, now=9999) == LEAST_GRACE_S


# Saves for longer than it takes to be killed, once it sees the file.
SAVES = """
import sys, time
from pathlib import Path
folder = Path(sys.argv[1])
(folder / "on").touch()
while not (folder / "stop").exists():
    time.sleep(0.05)
time.sleep(1.5)
(folder / "saved").touch()
"""


def started(code: str, folder: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-S", "-c", code, str(folder)])
    deadline = time.monotonic() + 10
    while not (folder / "on").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child


def test_a_command_that_heeds_the_file_is_asked_by_it_and_may_save(tmp_path: Path) -> None:
    assert STOP == "stop"
    told: list[float] = []
    with started(SAVES, tmp_path) as child:
        end(child, Command(("t",), heeds_stop=True), tmp_path, 20.0, meanwhile=lambda: told.append(time.monotonic()))
        assert child.poll() == 0
    assert (tmp_path / "saved").exists()
    assert len(told) > 3


def test_a_command_that_heeds_nothing_is_ended_after_the_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_TERM_S", 0.2)
    code = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path(sys.argv[1], 'on').touch(); time.sleep(60)"
    )
    with started(code, tmp_path) as child:
        began = time.monotonic()
        end(child, Command(("t",)), tmp_path, 0.3)
        assert child.poll() == -9
    assert 0.3 < time.monotonic() - began < 5


def test_a_person_is_told_from_which_step_a_resume_goes_on(tmp_path: Path) -> None:
    made = [Checkpoint(tmp_path, 4, final=False), Checkpoint(tmp_path, 8, final=False)]
    assert in_command(resume_words(3, TRAINERS["local"], made)) == "`winnow train resume 3` goes on from step 8"
    assert "there is no checkpoint" in in_command(resume_words(3, TRAINERS["local"], []))
    assert "starts its command again" in in_command(resume_words(3, TRAINERS["command"], made))
