"""What a browser, or something that is none, may have from the server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Page

from dashboard.media import sign
from dashboard.session import COOKIE
from tests.browser.conftest import ROOT, Server, settled
from tests.workspaces import build_workspace

SESSION = "0" * 31 + "1"


@pytest.fixture
def server(serve: Callable[[Path], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("WINNOW_WORKSPACE", str(tmp_path / "ws"))
    build_workspace(tmp_path / "ws", images=8, videos=1).close()
    return serve(tmp_path / "ws")


def link(server: Server, pair: int, size: int = 0, session: str = SESSION) -> str:
    from dashboard import space as spaces

    spaces.forget()
    try:
        return server.url + sign(session, pair, "first", size)
    finally:
        spaces.forget()


def get(url: str, session: str | None = SESSION, **headers: str) -> httpx.Response:
    cookies = {COOKIE: session} if session else {}
    return httpx.get(url, cookies=cookies, headers=headers)


def test_media_links_open_in_their_own_browser_only(server: Server) -> None:
    url = link(server, 1)
    mine = get(url)
    assert mine.status_code == 200
    assert mine.headers["content-type"] == "image/jpeg"
    assert mine.headers["x-content-type-options"] == "nosniff"
    assert get(url, session=None).status_code == 403
    assert get(url, session="f" * 32).status_code == 403
    payload, _, signature = url.rpartition(".")
    # Its first letter: of the last one some bits are padding, and other letters mean the same.
    forged = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert get(f"{payload}.{forged}").status_code == 403


def test_a_part_of_a_video_can_be_asked_for(server: Server) -> None:
    url = link(server, 9)
    part = get(url, Range="bytes=0-99")
    assert (part.status_code, len(part.content)) == (206, 100)
    assert part.headers["content-type"] == "video/mp4"


def test_thumbnails_are_small_and_kept(server: Server) -> None:
    for pair in (1, 9):
        small = get(link(server, pair, 160))
        assert small.status_code == 200
        assert small.headers["content-type"] == "image/webp"
    kept = list((server.workspace / "cache" / "thumbnails").rglob("*.webp"))
    assert len(kept) == 2


def test_a_medium_that_a_link_leads_out_of_the_data_root_is_refused(server: Server) -> None:
    outside = server.workspace / "outside.jpg"
    outside.write_bytes(b"secret")
    victim = server.workspace / "media" / "t2i" / "000-win.jpg"
    victim.unlink()
    victim.symlink_to(outside)
    answer = get(link(server, 1))
    assert answer.status_code == 422
    assert "leaves the data root" in answer.json()["message"]
    assert b"secret" not in answer.content


def test_a_broken_medium_says_why(server: Server) -> None:
    (server.workspace / "media" / "t2i" / "001-win.jpg").unlink()
    answer = get(link(server, 2))
    assert answer.status_code == 422
    assert "no such file" in answer.json()["message"]


def test_another_host_name_is_refused(server: Server) -> None:
    assert get(server.url, Host="evil.example").status_code == 403


def test_the_page_opens_without_errors(server: Server, person: Callable[..., Page]) -> None:
    page = person()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((server.url, "ws://127.", "data:", "blob:"))
            else problems.append(f"asked elsewhere: {request.url}")
        ),
    )
    page.goto(server.url)
    settled(page)
    assert page.get_by_role("heading", name="Overview").is_visible()
    assert page.locator("[data-testid='stAlert']").count() == 0
    assert problems == []
    assert {cookie["name"] for cookie in page.context.cookies()} >= {COOKIE}


def test_the_server_ends_with_the_command_that_started_it(server: Server, person: Callable[..., Page]) -> None:
    """Also while a page is open, whose connection the server would wait for."""
    server.kill()
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "backend.cli",
            "--workspace",
            str(server.workspace),
            "serve",
            "--port",
            str(server.port),
            "--no-browser",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            assert command.stdout is not None
            assert server.url in command.stdout.readline()
            page = person()
            page.goto(server.url)
            settled(page)
            served = psutil.Process(command.pid).children(recursive=True)
            assert served
            command.terminate()
            assert command.wait(timeout=20) == 128 + signal.SIGTERM
            # Whoever inherits them may not have buried them yet.
            assert not [one for one in served if one.is_running() and one.status() != "zombie"]
            with pytest.raises(httpx.HTTPError):
                httpx.get(server.url, timeout=2)
        finally:
            command.kill()
