"""Whether a server offers the judge that is meant, asked before its answers are taken for that one's."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.engines.base import EngineOptions
from backend.engines.openai import check_served, served_models
from backend.errors import EngineError

OFFERED: dict[str, Any] = {"object": "list", "data": [{"id": "/r1/judge"}, {"id": "other"}]}


class Server(ThreadingHTTPServer):
    """Says ``status`` and ``body`` to whoever asks for models, and remembers the keys."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status, self.body = 200, json.dumps(OFFERED).encode()
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def test_a_server_that_offers_the_judge_may_be_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "s3cret")
    options = EngineOptions(endpoints=(server.url,), api_key_env="JUDGE_KEY")
    check_served("/r1/judge", options)
    assert server.asked == [("/v1/models", "Bearer s3cret")]
    with pytest.raises(EngineError, match=r"offers /r1/judge, other, not /r2/judge") as caught:
        check_served("/r2/judge", options)
    assert "--served-model-name" in (caught.value.hint or "")


def test_each_of_several_servers_has_to_offer_it(server: Server) -> None:
    with pytest.raises(EngineError, match=r"nobody answers at http://127.0.0.1:9/v1"):
        check_served("other", EngineOptions(endpoints=(server.url, "http://127.0.0.1:9/v1")))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": 1}', b'{"data": [{}]}', b"{"])
def test_what_is_no_list_of_models_offers_none(server: Server, body: bytes) -> None:
    server.body = body
    assert served_models(server.url, EngineOptions()) == []


def test_a_server_that_still_loads_counts_as_not_there_and_one_that_refuses_says_why(server: Server) -> None:
    server.status = 503
    assert served_models(server.url, EngineOptions()) is None
    server.status, server.body = 401, b'{"error": {"message": "no key"}}'
    with pytest.raises(EngineError, match="401 no key") as caught:
        served_models(server.url, EngineOptions())
    assert "api_key_env" in str(caught.value.hint)


def test_a_caller_may_have_an_event_loop_of_its_own(server: Server) -> None:
    async def ask() -> list[str] | None:
        return served_models(server.url, EngineOptions())

    assert asyncio.run(ask()) == served_models(server.url, EngineOptions())
