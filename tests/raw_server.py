"""A server that does on its connection whatever a test says, byte by byte."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Act = Callable[["Connection"], None]


class Connection(socketserver.StreamRequestHandler):
    """One connection; answers request after request until it is closed."""

    server: RawServer

    def handle(self) -> None:
        with suppress(OSError):
            while head := self.rfile.readline():
                self.path = head.split()[1].decode()
                self.headers = {}
                while (line := self.rfile.readline().strip()) != b"":
                    name, _, value = line.decode().partition(":")
                    self.headers[name.lower()] = value.strip()
                self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with self.server.lock:
                    self.server.paths.append(self.path)
                self.server.act(self)

    def send(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """A whole answer."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def good(self) -> None:
        """A judge's answer, or the list of models."""
        if self.path.endswith("/models"):
            self.send(b'{"data": [{"id": "judge"}]}')
        else:
            self.send(answer({"content": "fine"}))

    def chunks(self, piece: bytes, pause: float = 0.0) -> None:
        """The same piece until the client has had enough."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not self.server.closed.wait(pause):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def hang(self) -> None:
        """Answers nothing while the test goes on."""
        self.server.closed.wait(60)


class RawServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    block_on_close = False

    def __init__(self, act: Act) -> None:
        self.act, self.paths, self.lock = act, [], threading.Lock()
        self.closed = threading.Event()
        super().__init__(("127.0.0.1", 0), Connection)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def asked(self, end: str) -> int:
        """How many requests had a path that ends so."""
        with self.lock:
            return sum(path.endswith(end) for path in self.paths)


@contextmanager
def raw(*acts: Act) -> Iterator[list[RawServer]]:
    servers = [RawServer(act) for act in acts]
    try:
        yield servers
    finally:
        for server in servers:
            server.closed.set()
            server.shutdown()
            with suppress(OSError):
                server.socket.shutdown(socket.SHUT_RDWR)
            server.server_close()


def answer(message: Any, **more: Any) -> bytes:
    """A chat completion's body with this message."""
    choice = {"message": message, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], **more}).encode()
