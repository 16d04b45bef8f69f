"""Who may call a running server: its own pages, under its own names, and nobody else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from dashboard.session import COOKIE
from tests.browser.conftest import ROOT, Server, answers, free_port, settled

PUBLIC = "https://winnow.example.org"
_RECORDER = """
import os, sys
def heard(event, given):
    if event in ("socket.connect", "socket.sendto"):
        told = given[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        told = given[0]
    else:
        return
    with open(os.environ["TEST_CONTACTS"], "a") as file:
        print(told, file=file)
sys.addaudithook(heard)
"""
_HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None", "('127.0.0.1'", "('::1'", "/")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on this machine alone, behind a proxy that ends TLS for a public name."""
    folder = tmp_path_factory.mktemp("strangers")
    os.environ["WINNOW_PUBLIC_URL"] = PUBLIC
    try:
        server = Server(folder / "ws", free_port(), folder / "server.log")
        server.start()
        yield server
        server.kill()
    finally:
        del os.environ["WINNOW_PUBLIC_URL"]


def status(port: int, *headers: str, path: str = "/_stcore/stream", method: str = "GET") -> int:
    """What a request is answered with, word for word as it is sent; 101 is an open websocket."""
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    more = upgrade if path == "/_stcore/stream" else ("Connection: close", "Content-Length: 0")
    lines = [f"{method} {path} HTTP/1.1", *headers, *more, "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.recv(4096).split()[1])


def host(server: Server, name: str = "127.0.0.1") -> str:
    return f"Host: {name}:{server.port}"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_a_page_of_the_server_itself_opens_its_websocket(server: Server, name: str) -> None:
    origin = f"Origin: http://{name}:{server.port}"
    assert status(server.port, host(server, name), origin) == 101


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "http://127.0.0.1",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://evil.example:{port}",
        "http://me@127.0.0.1:{port}",
        "file://",
        "null",
        "",
    ],
)
def test_a_page_from_elsewhere_opens_no_websocket_and_changes_nothing(server: Server, origin: str) -> None:
    said = f"Origin: {origin.format(port=server.port)}"
    assert status(server.port, host(server), said) == 403
    for method, path in (
        ("PUT", "/_stcore/upload_file/a/b"),
        ("DELETE", "/_stcore/upload_file/a/b"),
        ("POST", "/winnow/review/rulings"),
        ("POST", "/"),
        ("GET", "/_stcore/host-config"),
    ):
        assert status(server.port, host(server), said, method=method, path=path) == 403


def test_a_websocket_or_an_upload_that_does_not_say_its_page_is_refused(server: Server) -> None:
    assert status(server.port, host(server)) == 403
    assert status(server.port, host(server), method="PUT", path="/_stcore/upload_file/a/b") == 403
    own = f"Origin: http://127.0.0.1:{server.port}"
    # The second may be what somebody between us believes.
    two = status(server.port, host(server), own, "Origin: http://localhost:3000")
    assert two in (400, 403)


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "10.0.0.5", "x@localhost"])
def test_a_foreign_name_that_leads_here_is_refused_whatever_it_is_called_with(server: Server, name: str) -> None:
    """DNS rebinding: the browser takes the page and the server for one site."""
    both = (host(server, name), f"Origin: http://{name}:{server.port}")
    assert status(server.port, *both) == 403
    assert status(server.port, both[0], path="/") == 403
    # A page on another port whose server passes our answers on, the host as it is.
    assert status(server.port, "Host: localhost:3000", "Origin: http://localhost:3000") == 403
    assert status(server.port, path="/") in (400, 403)


def test_behind_a_proxy_the_public_address_is_the_servers_own(server: Server) -> None:
    public = "Host: winnow.example.org"
    assert status(server.port, public, f"Origin: {PUBLIC}") == 101
    assert status(server.port, public, "Origin: http://winnow.example.org") == 403
    assert status(server.port, public, f"Origin: http://127.0.0.1:{server.port}") == 403
    # A proxy that does not pass the name on.
    assert status(server.port, host(server), f"Origin: {PUBLIC}") == 101
    # What a proxy is said to have added proves nothing.
    forwarded = (f"Host: evil.example:{server.port}", "X-Forwarded-Host: winnow.example.org")
    assert status(server.port, *forwarded, "X-Forwarded-Proto: https", path="/") == 403


def test_cookies_are_for_tls_only_where_the_public_address_is(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/"
    over_tls = httpx.get(url, headers={"Host": "winnow.example.org"})
    assert "Secure" in next(c for c in over_tls.headers.get_list("set-cookie") if COOKIE in c)
    plain = httpx.get(url, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" not in next(c for c in plain.headers.get_list("set-cookie") if COOKIE in c)


def test_a_foreign_page_can_neither_frame_the_dashboard_nor_log_anybody_out(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}"
    assert httpx.get(url).headers["content-security-policy"] == "frame-ancestors 'self'"
    link = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}
    assert httpx.get(url, headers=link).status_code == 200
    assert httpx.get(f"{url}/auth/logout", headers=link).status_code == 403
    script = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert httpx.get(f"{url}/_stcore/health", headers=script).status_code == 403


def test_a_person_gets_one_line_and_the_setting_that_helps(server: Server) -> None:
    refusal = httpx.get(f"http://127.0.0.1:{server.port}", headers={"Host": "gpu7:9000"})
    assert refusal.status_code == 403
    assert "WINNOW_PUBLIC_URL" in refusal.json()["hint"]


def test_neither_server_nor_page_contacts_anything_outside(
    tmp_path: Path, person: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``streamlit run``, open to all addresses: where Streamlit would look for its own."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_RECORDER)
    contacts, log, port = tmp_path / "contacts", tmp_path / "log", free_port()
    contacts.touch()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "streamlit",
                "run",
                str(ROOT / "dashboard" / "app.py"),
                "--server.address",
                "0.0.0.0",
                "--server.port",
                str(port),
            ],
            cwd=tmp_path,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}",
                "WINNOW_ALLOW_OPEN": "yes",
                "WINNOW_WORKSPACE": str(tmp_path / "ws"),
                "TEST_CONTACTS": str(contacts),
            },
        )
    try:
        answers(f"http://127.0.0.1:{port}/_stcore/health", process, log)
        # A number is nobody's to point here; a name is.
        for name, answer in (("10.0.0.5", 101), (socket.gethostname(), 101), ("evil.example", 403)):
            own = f"{name}:{port}"
            assert status(port, f"Host: {own}", f"Origin: http://{own}") == answer, name
        assert status(port, f"Host: 127.0.0.1:{port}", "Origin: http://localhost:3000") == 403
        page = person()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda opened: asked.append(opened.url))
        for name in ("", "review", "runs"):
            page.goto(f"http://127.0.0.1:{port}/{name}")
            settled(page)
        assert len(asked) > 20
        ours = (f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/", "data:", "blob:")
        assert [url for url in asked if not url.startswith(ours)] == []
    finally:
        process.kill()
        process.wait(timeout=20)
    told = contacts.read_text().splitlines()
    assert [one for one in told if not one.strip("'\"b").startswith(_HERE)] == []
