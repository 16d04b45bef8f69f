"""An API key reaches the run of the command that has it, and nothing that is stored."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil

from tests.integration.conftest import Winnow
from tests.integration.test_runs import start, wait_for, worker_of
from tests.raw_server import Connection, raw

RIGHT, WRONG = "sk-right-0123456789", "sk-wrong-0123456789"


def test_a_key_set_for_a_later_command_is_used_by_that_commands_run_and_is_stored_nowhere(
    winnow: Winnow, visible_winners: Path, tmp_path: Path
) -> None:
    seen: set[str | None] = set()

    def act(connection: Connection) -> None:
        seen.add(connection.headers.get("authorization"))
        if connection.headers.get("authorization") == f"Bearer {RIGHT}":
            connection.good()
        else:
            connection.send(b"not you", status="401 Unauthorized")

    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": "x"}))
    # Its supervisor is there for a while, and has no key in its environment.
    slow = start(winnow, script, "--scripted-latency", 60)
    wait_for(lambda: worker_of(slow["id"], tmp_path))
    with raw(act) as (server,):
        words = ["run", "start", "--dataset", "d", "--model", "judge", "--endpoint", server.url,
                 "--api-key-env", "JUDGE_KEY"]  # fmt: skip
        refused = winnow(*words, code=2)
        assert "JUDGE_KEY" in refused.err and "is not set" in refused.err
        assert not seen

        failed = winnow(*words, "--wait", "--json", code=1, env={"JUDGE_KEY": WRONG})
        assert "401" in failed.err + failed.out
        assert seen == {f"Bearer {WRONG}"}
        run = winnow("run", "list", "--json").json[-1]["id"]
        assert "is not set" in winnow("run", "resume", run, code=2).err
        winnow("run", "resume", run, "--wait", env={"JUDGE_KEY": RIGHT})
        assert winnow("run", "show", run, "--json").json["counts"]["done"] == 12

        # A command without a key uses none, whatever an earlier one had.
        seen.clear()
        winnow(*words[:-2], "--wait", code=1, env={"OPENAI_API_KEY": ""})
        assert seen == {None}
    winnow("run", "cancel", slow["id"])
    files = [file for file in (tmp_path / "ws").rglob("*") if file.is_file()]
    assert any(file.suffix == ".log" for file in files)
    for secret in (RIGHT, WRONG):
        assert not [file for file in files if secret.encode() in file.read_bytes()]
        assert not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"]
                    and one.pid != os.getpid() and secret in " ".join(one.info["cmdline"])]  # fmt: skip


def test_credentials_in_an_endpoints_url_are_refused_before_anything_is_stored(
    winnow: Winnow, visible_winners: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    for words, url in (
        (["run", "start", "--dataset", "d"], "http://user:s3cr3t@host:1/v1"),
        (["loop", "--dataset", "d", "--rounds", 1], "http://host/v1?api_key=s3cr3t"),
    ):
        refused = winnow(*words, "--engine", "openai", "--model", "m", "--endpoint", url, code=2)
        assert "--api-key-env" in refused.err and "s3cr3t" not in refused.err
    assert winnow("run", "list", "--json").json == []
    for file in (tmp_path / "ws").rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes()
