"""A workspace with real processes around it, all of them marked, so that each can be found and killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
from sqlalchemy.exc import DBAPIError

from backend.curation.queues import NewQueue, Queues
from backend.domain.filtering import Policy
from backend.errors import WinnowError
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.workspace import Workspace, open_workspace, settings_for
from dashboard.session import COOKIE
from tests.dashboard.review_calls import SESSION, bearer
from tests.workspaces import write_image_pairs

ROOT = Path(__file__).resolve().parents[2]
MARK = "WINNOW_TEST_DRILL"
KILLED = -signal.SIGKILL
PAIRS_OF_A_RUN = 24
_T = TypeVar("_T")

# A training that lasts a moment; it counts the rows that it was given, and writes that down last.
_PROGRAM = """
import json, os, pathlib, sys, time
out, data = pathlib.Path(sys.argv[1]), sys.argv[2].split(",")
out.mkdir(parents=True, exist_ok=True)
rows = sum(len(json.loads(pathlib.Path(file).read_text())) for file in data)
time.sleep(1.5)
(out / "rows.partial").write_text(str(rows))
os.replace(out / "rows.partial", out / "rows")
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What one command left behind."""

    code: int
    out: str
    err: str


class Stage:
    """A workspace ``ws`` below ``folder``, with what persons need to work on it.

    Run 1 holds two imported judgments a pair; a queue holds all of them. Run 2 holds the same texts,
    and is what rulings are imported into. A set ``base`` is frozen of the first.
    """

    def __init__(self, folder: Path, pairs: int, database_url: str | None = None) -> None:
        self.folder, self.workspace, self.pairs = folder, folder / "ws", pairs
        self.command_s = 0.0
        self.mark = secrets.token_hex(8)
        beats = {"WINNOW_HEARTBEAT_SECONDS": "0.5", "WINNOW_STALE_SECONDS": "10"}
        self.environment = {
            **os.environ,
            **beats,
            MARK: self.mark,
            "WINNOW_WORKSPACE": str(self.workspace),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "240",
            "NO_COLOR": "1",
        }
        self.environment.pop("WINNOW_DATABASE_URL", None)
        if database_url:
            self.environment["WINNOW_DATABASE_URL"] = database_url
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        settings = settings_for(self.workspace).model_copy(update={"database_url": database_url})
        self.space: Workspace = open_workspace(settings)
        self._build()

    def _build(self) -> None:
        media = self.folder / "media"
        write_image_pairs(media, PAIRS_OF_A_RUN)
        rows = json.loads((media / "pairs.json").read_text())
        more = [{**rows[n % PAIRS_OF_A_RUN], "prompt": f"sign {n}"} for n in range(self.pairs)]
        (media / "many.json").write_text(json.dumps(more))
        for name in ("pairs", "many"):
            import_dataset(
                self.space.database, name=name, spec=f"hpdv3:{media / name}.json", data_root=None, check_media=False
            )
        self.script = self.folder / "script.jsonl"
        self.script.write_text("".join(json.dumps({"text": judgment(n)}) + "\n" for n in range(7)))
        self.texts = self.folder / "texts.jsonl"
        with self.texts.open("w") as file:
            for n in range(self.pairs):
                for sample in (0, 1):
                    row = {"index": n, "sample": sample, "text": judgment(n + sample)}
                    file.write(json.dumps(row) + "\n")
        many = self.space.datasets.get("many").id
        for model in ("one", "two"):
            spec = RunSpec(model=model, engine="import", instruction=instructions(None, use_cot=True))
            import_predictions(self.space.database, many, spec, Policy(), self.texts)
        queue = NewQueue(kind="unreviewed", title="all", run_ids=(1,))
        self.queue = Queues(self.space.database).make(queue, created_by="ann")
        self.space.freeze("base", [1])
        self.program = self.folder / "program.py"
        self.program.write_text(_PROGRAM)
        self.model = self.folder / "model"
        self.model.mkdir()
        (self.model / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
        (self.model / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")

    def measure(self) -> None:
        """See how long a command takes here; from then on ``command_s`` follows."""
        self.winnow("set", "list")
        self.command_s *= 3  # until it is known what they take beside others

    def winnow(self, *words: object, timeout: float = 300) -> Done:
        """Run one command to its end, its own or another's."""
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", *map(str, words), "--workspace", self.workspace],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Done(1, "", f"no end after {timeout:.0f} seconds")
        if process.returncode == 0:
            took = time.monotonic() - began
            self.command_s = 0.8 * self.command_s + 0.2 * took if self.command_s else took
        return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def serve(self) -> subprocess.Popen[bytes]:
        """``winnow serve`` on this stage's port."""
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "backend.cli",
                    "serve",
                    "--port",
                    str(self.port),
                    "--no-browser",
                    "--workspace",
                    str(self.workspace),
                ],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def is_served(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_stcore/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def browser(self, name: str, session: str = SESSION) -> httpx.Client:
        """A client that sends what ``name``'s page sends."""
        headers = {
            "Authorization": bearer(self.space, name, session),
            "Cookie": f"{COOKIE}={session}",
            "Origin": self.url,
            "Sec-Fetch-Site": "same-origin",
        }
        return httpx.Client(base_url=self.url, headers=headers, timeout=15)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Every living process of this stage, by what it is."""
        found: dict[str, list[psutil.Process]] = {}
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get(MARK) == self.mark:
                    found.setdefault(_kind(process.cmdline()), []).append(process)
            except psutil.Error:
                continue
        return found

    def asked(self, question: Callable[[], _T], patience: float = 60) -> _T:
        """An answer of the store, asked again while its database is away."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return question()
            except (WinnowError, DBAPIError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def close(self) -> None:
        """End whatever is left."""
        for processes in self.processes().values():
            for process in processes:
                try:
                    process.kill()
                except psutil.Error:
                    continue
        self.space.close()


def judgment(number: int) -> str:
    """A judge's text; two in three say that the first image is better, one in seven is unreadable."""
    one, two = (9, 5) if number % 3 else (4, 8)
    answer = f"<answer>Image {1 if one > two else 2} is better</answer>" if number % 7 != 6 else ""
    return f"<think>Quality: Image 1: {one}/10, Image 2: {two}/10. Seen {number}.</think>\n{answer}"


def _kind(words: list[str]) -> str:
    for module, kind in (
        ("backend.worker", "worker"),
        ("backend.supervisor", "supervisor"),
        ("backend.trainer", "trainer"),
        ("backend.jobs.tied", "server"),
        ("dashboard", "server"),
    ):
        if module in words:
            return kind
    if "backend.cli" in words:
        return "serve" if "serve" in words else "command"
    return "program"
