"""What each engine is loaded with here, and a process that is killed while one of them answers.

Usage of the process: ``python -m tests.unit.contracts.engine_stages NAME MODEL OPTIONS``. It says ``answered``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from backend.engines.base import EngineOptions
from backend.engines.registry import load_engine
from tests.conftest import SHIPPED_JUDGE
from tests.unit.engines.engine_requests import request

BATCH = 2
REFUSED = "REFUSE THIS"
"""A caption that the server of the stage cannot answer."""
ANSWER = "<think>\nwhy\n</think>\n<answer>Image 1 is better</answer>"


@dataclass(frozen=True)
class Stage:
    """What an engine is loaded with.

    Attributes:
        wrong: Options that it cannot be loaded with, or a model.
        looks: It looks at what it is asked, so that there is a request which it cannot answer.
    """

    model: str
    options: dict[str, Any]
    wrong: dict[str, Any]
    looks: bool = True
    wrong_model: str = field(default="", kw_only=True)


class _Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.02)
        if REFUSED.encode() in body:
            status, value = 400, {"error": {"message": "this cannot be taken"}}
        else:
            choice = {"message": {"content": ANSWER}, "finish_reason": "stop"}
            status, value = 200, {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _openai(_folder: Path) -> Iterator[Stage]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Stage("judge", {"endpoints": [f"http://127.0.0.1:{server.server_port}/v1"]}, {"endpoints": []})
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _scripted(folder: Path) -> Iterator[Stage]:
    (folder / "texts.jsonl").write_text(json.dumps({"text": ANSWER}) + "\n")
    options = {"scripted_file": str(folder / "texts.jsonl"), "scripted_latency": 0.02}
    yield Stage("replayed", options, {"scripted_file": str(folder / "none.jsonl")}, looks=False)


@contextmanager
def _loading(folder: Path) -> Iterator[Stage]:
    (folder / "empty").mkdir()
    options = {"device": "cpu", "max_new_tokens": 8, "max_model_len": 2048}
    yield Stage(str(SHIPPED_JUDGE), options, options, wrong_model=str(folder / "empty"))


STAGES: dict[str, Callable[[Path], Any]] = {
    "openai": _openai,
    "scripted": _scripted,
    "transformers": _loading,
    "vllm": _loading,
}


if __name__ == "__main__":
    name, model, options = sys.argv[1:]
    engine = load_engine(name, model, EngineOptions(**json.loads(options)))
    for _ in engine.generate(request(number) for number in count()):
        print("answered", flush=True)
