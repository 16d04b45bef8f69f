"""A loop over servers: each judge is asked of one that was started with it, and none is left over."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from backend.engines.base import EngineOptions
from backend.engines.openai import served_models
from backend.errors import EngineError
from backend.jobs.processes import pid_exists
from backend.loop import run
from backend.training.probing import free_port
from tests.integration.conftest import Winnow
from tests.integration.test_bad_input import one_line
from tests.integration.test_loop import PAIRS, Bench, bench, wait_for

__all__ = ["bench"]

pytestmark = pytest.mark.timeout(600)

SERVER = """
import json, pathlib, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
model, port, *rest = sys.argv[1:]
if "fail" in rest:
    sys.exit("no room for the weights")
voice = (pathlib.Path(model) / "voice.txt").read_text()
# An engine that bears no mark, as one that writes its title over its environment, and that nobody
# ends when this process is killed.
engine = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(900)"], env={})
with open(pathlib.Path(__file__).with_name("engines"), "a") as pids:
    pids.write(f"{engine.pid}\\n")
name = "another" if "another" in rest else model
time.sleep(0.5)

class Handler(BaseHTTPRequestHandler):
    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer({"data": [{"id": name}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(1.0 if "slow" in rest else 0)
        text = f"<think>voice {voice}</think><answer>Image 1 is better</answer>"
        message = {"message": {"content": text}, "finish_reason": "stop"}
        self.answer({"choices": [message], "usage": {}})

    def log_message(self, *_):
        pass

print("listening", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""
"""Answers with the words that its judge's folder has, whatever model it is asked for, as many do."""

TRAINER = """
import pathlib, shutil, socket, sys
out, model, port = sys.argv[1:]
with socket.socket() as probe:
    if probe.connect_ex(("127.0.0.1", int(port))) == 0:
        sys.exit("a server still holds the memory")
shutil.copytree(model, out, dirs_exist_ok=True)
voice = pathlib.Path(out) / "voice.txt"
voice.write_text(str(int(voice.read_text()) + 1))
"""


class Served:
    """A bench whose judge is ``voice 0``, each training making the next, and a server of judges."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.port = bench, free_port()
        (bench.folder / "judge" / "voice.txt").write_text("0")
        (bench.folder / "server.py").write_text(SERVER)
        (bench.folder / "trainer.py").write_text(TRAINER)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def command(self, *more: str) -> tuple[str, ...]:
        return (sys.executable, str(self.bench.folder / "server.py"), "{model}", str(self.port), *more)

    def start(self, *more: str, **values: Any) -> int:
        trainer = (sys.executable, str(self.bench.folder / "trainer.py"), "{output}", "{model}", str(self.port))
        return self.bench.start(
            engine="openai",
            serve=self.command(*more),
            options=EngineOptions(endpoints=(self.url,), batch_size=2),
            training={"command": trainer, "train_batch_size": 1, "device": "cpu"},
            **values,
        )

    def voice(self, run: int) -> set[str]:
        with self.bench.space.database.read() as connection:
            rows = connection.exec_driver_sql(f"SELECT text FROM predictions WHERE run_id = {run}")
            texts = [row[0] for row in rows]
        assert len(texts) == PAIRS
        return {text.split("</think>")[0].rpartition(" ")[2] for text in texts}

    @property
    def up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def engines(self) -> list[bool]:
        """For each engine that a server ever had, whether it lives."""
        pids = (self.bench.folder / "engines").read_text().split()
        return [pid_exists(int(pid)) for pid in pids]


@pytest.fixture
def served(bench: Bench) -> Served:
    return Served(bench)


def test_each_judge_is_asked_of_a_server_that_was_started_with_it(winnow: Winnow, served: Served) -> None:
    """By the command as a person types it, ``auto`` included, over two rounds with a measurement."""
    folder = served.bench.folder
    trainer = shlex.join([sys.executable, str(folder / "trainer.py"), "{output}", "{model}", str(served.port)])
    told = winnow(
        "loop",
        "--dataset",
        "train",
        "--holdout",
        "held",
        "--model",
        folder / "judge",
        "--endpoint",
        served.url,
        "--serve",
        shlex.join(served.command()),
        "--samples",
        1,
        "--batch-size",
        2,
        "--trainer",
        "command",
        "--train",
        f"command={trainer}",
        "--train",
        "train_batch_size=1",
        "--train",
        "device=cpu",
        "--no-balance",
        "--policy",
        "agreement",
    ).out
    state = served.bench.state
    first, second = state.made
    assert state.baseline is not None
    asked = [state.baseline, first["run"], first["evaluation"], second["run"], second["evaluation"]]
    assert [served.voice(run) for run in asked] == [{"0"}, {"0"}, {"1"}, {"1"}, {"2"}]
    starts = [line for line in told.splitlines() if line.startswith("serving ")]
    assert [line.split(":")[0] for line in starts] == [
        f"serving {judge}" for judge in (folder / "judge", first["checkpoint"], second["checkpoint"])
    ]
    assert told.count("stopping the server of ") == 3
    assert not served.up
    assert served.engines == [False] * 3
    assert (folder / "ws/logs/loop-1-server.log").read_text().count("listening") == 3


def test_a_killed_loop_leaves_no_server_and_goes_on_with_another(winnow: Winnow, served: Served) -> None:
    served.start("slow")
    driver = served.bench.resume_in_background()
    wait_for(lambda: served.bench.state.now.get("run") and served.up)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    wait_for(lambda: not served.up and served.engines == [False])
    assert winnow("loop", "resume", 1, "--json").json["step"] == "done"
    assert served.voice(served.bench.state.now["run"]) == {"0"}
    assert not served.up


def test_a_cancelled_loop_stops_its_server(winnow: Winnow, served: Served) -> None:
    served.start("slow")
    driver = served.bench.resume_in_background()
    wait_for(lambda: served.bench.state.now.get("run") and served.up)
    # It does nothing itself for as long as the other command takes.
    os.kill(driver.pid, signal.SIGSTOP)
    winnow("loop", "cancel", 1)
    assert not served.up
    assert served.engines == [False]
    os.kill(driver.pid, signal.SIGCONT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 1 and "loop 1 " in said


def test_a_server_that_ends_says_why_and_the_loop_goes_on_with_another_command(winnow: Winnow, served: Served) -> None:
    served.start("fail")
    began = time.monotonic()
    stuck = winnow("loop", "resume", 1, code=1)
    assert time.monotonic() - began < 60, "nobody waits for what has ended"
    one_line(stuck, "the server of the judge has ended: no room for the weights")
    assert "--serve" in stuck.err and "loop-1-server.log" in stuck.err
    assert winnow("run", "list", "--json").json == [], "nothing was asked"
    one_line(winnow("loop", "resume", 1, "--serve", "serve", code=2), "--serve: {model} is missing")
    right = shlex.join(served.command())
    assert winnow("loop", "resume", 1, "--serve", right, "--json").json["step"] == "done"
    one_line(winnow("loop", "resume", 1, "--serve", right, code=2), "--serve: loop 1 has nothing left")


def test_a_server_with_another_judge_is_not_asked_and_is_stopped(served: Served) -> None:
    """In this process, with whose end the server would end anyway."""
    served.start("another")
    with pytest.raises(EngineError, match="offers another, not "):
        run(served.bench.space, 1, say=print)
    assert not served.up
    assert served.bench.space.runs.list() == []


def test_a_server_that_was_there_before_is_told_of_and_left_alone(winnow: Winnow, served: Served) -> None:
    """It would answer in place of the loop's, which could not take its port."""
    served.start()
    words = [word.replace("{model}", str(served.bench.folder / "judge")) for word in served.command()]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as stranger:
        wait_for(lambda: served_models(served.url, EngineOptions()))
        stuck = winnow("loop", "resume", 1, code=1)
        one_line(stuck, f"a server answers at {served.url} already")
        assert stranger.poll() is None
        stranger.kill()
    assert winnow("run", "list", "--json").json == []
