"""An API key reaches the run of the command that has it, and nothing that is stored."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from backend.cli.main import main
from backend.errors import UsageError
from tests.integration.supervised import PAIRS, Supervised
from tests.raw_server import Connection, raw

RIGHT, WRONG = "sk-right-0123456789", "sk-wrong-0123456789"


def test_a_key_set_for_a_later_command_is_used_by_that_commands_run_and_is_stored_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str | None] = set()
    shown: list[str] = []

    def act(connection: Connection) -> None:
        seen.add(connection.headers.get("authorization"))
        shown.extend(" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]))
        if connection.headers.get("authorization") == f"Bearer {RIGHT}":
            connection.good()
        else:
            connection.send(b"not you", status="401 Unauthorized")

    home = Supervised(tmp_path)
    with raw(act) as (server,):
        options = {"endpoints": (server.url,), "api_key_env": "JUDGE_KEY", "batch_size": 1}
        monkeypatch.delenv("JUDGE_KEY", raising=False)
        with pytest.raises(UsageError, match="JUDGE_KEY, which is to hold"):
            home.start(**options)

        monkeypatch.setenv("JUDGE_KEY", WRONG)
        run = home.start(**options)
        # As the supervisor that an earlier command left: it has another environment.
        monkeypatch.delenv("JUDGE_KEY")
        assert "401" in (home.ended(run).error or "")
        assert seen == {f"Bearer {WRONG}"}
        with pytest.raises(UsageError, match="JUDGE_KEY, which is to hold"):
            home.space.launcher.resume(run)

        monkeypatch.setenv("JUDGE_KEY", RIGHT)
        home.space.launcher.resume(run)
        monkeypatch.delenv("JUDGE_KEY")
        assert home.ended(run).status == "finished" and home.done(run) == PAIRS

        # A command without a key uses none, whatever an earlier one had.
        seen.clear()
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        run = home.start(endpoints=(server.url,), batch_size=1)
        monkeypatch.setenv("OPENAI_API_KEY", WRONG)
        assert home.ended(run).status == "failed"
        assert seen == {None}
    home.space.close()
    files = [file for file in home.folder.rglob("*") if file.is_file()]
    assert any(file.suffix == ".log" and file.stat().st_size for file in files)
    for secret in (RIGHT, WRONG):
        assert not [file for file in files if secret.encode() in file.read_bytes()]
        assert not [words for words in shown if secret in words]


def test_a_run_that_is_cancelled_before_it_starts_leaves_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", RIGHT)
    home = Supervised(tmp_path)
    run = home.start(endpoints=("http://127.0.0.1:9/v1",))
    (left,) = (home.folder / "handover").iterdir()
    assert RIGHT in left.read_text()
    home.space.launcher.cancel(run)
    assert not left.exists()
    home.space.close()


def test_credentials_in_an_endpoints_url_are_refused_before_anything_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Supervised(tmp_path)
    for words in (["run", "start", "--dataset", "d"], ["loop", "--dataset", "d", "--rounds", "1"]):
        for url in ("http://user:s3cr3t@host:1/v1", "host:1/v1?api_key=s3cr3t", "http://h/#s3cr3t"):
            words_of_it = [*words, "--engine", "openai", "--model", "m", "--endpoint", url]
            assert main([*words_of_it, "--workspace", str(home.folder)]) == 2
            told = capsys.readouterr().err
            assert "--api-key-env" in told and "s3cr3t" not in told
    home.space.close()
    for file in home.folder.rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes()
