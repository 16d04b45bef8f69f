"""A job's log in the terminal: whole lines, once each, until its job has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli import logs


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.time, "sleep", lambda _: None)


def test_following_prints_each_line_once_and_whole_until_the_job_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    written = iter([b"one\ntw", b"o\nthr", b"ee"])

    def write_on() -> bool:
        piece = next(written, None)
        if piece is not None:
            with log.open("ab") as stream:
                stream.write(piece)
        return piece is not None

    logs.print_log(log, write_on, follow=True)

    assert capsys.readouterr().out.splitlines() == ["one", "two", "three"]


def test_without_following_the_log_of_a_living_job_is_printed_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\nhalf a li")

    logs.print_log(log, lambda: True, follow=False)

    assert capsys.readouterr().out.splitlines() == ["one", "half a li"]


def test_a_job_that_has_not_begun_has_an_empty_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.print_log(tmp_path / "none", lambda: False, follow=True)

    assert capsys.readouterr().out == ""
