"""A dashboard for more than one person: a real login, and what each role may do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from backend.errors import StoreError
from backend.store.reviews import Reviews
from backend.workspace import Workspace
from dashboard import space as spaces
from dashboard.session import COOKIE, SessionMiddleware
from tests.browser.conftest import ROOT, answers, free_port, settled
from tests.browser.oidc_provider import CLIENT_ID, CLIENT_SECRET
from tests.browser.review_room import all_stored, drawn, make_queue, prediction, stored
from tests.workspaces import build_workspace

pytestmark = pytest.mark.slow
OPERATOR, REVIEWER = "ada@example.org", "bob@example.org"
SLOW_MS = 30_000
"""A page after a login, on a machine that is busy with something else."""
Person = Callable[..., Page]


@dataclass
class Served:
    """``winnow serve`` with a login."""

    url: str
    provider: str
    space: Workspace


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("login")
    space = build_workspace(folder / "ws", images=8, videos=1)
    port, provider_port = free_port(), free_port()
    url, provider = f"http://127.0.0.1:{port}", f"http://localhost:{provider_port}"
    secrets = folder / "secrets.toml"
    secrets.write_text(
        f"""[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "{"c" * 32}"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "WINNOW_OPERATORS": OPERATOR.upper(),
        "STREAMLIT_SECRETS_FILES": str(secrets),
        "NO_PROXY": "localhost,127.0.0.1",
    }
    commands = {
        f"{provider}/jwks": ["-m", "tests.browser.oidc_provider", str(provider_port)],
        f"{url}/_stcore/health": [
            "-m",
            "backend.cli",
            "--workspace",
            str(space.folder),
            "serve",
            "--port",
            str(port),
            "--no-browser",
        ],
    }
    processes = []
    try:
        for number, (ready, command) in enumerate(commands.items()):
            log = folder / f"{number}.log"
            with log.open("wb") as out:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, *command],
                        cwd=ROOT,
                        env=environment,
                        stdout=out,
                        stderr=out,
                        start_new_session=True,
                    )
                )
            answers(ready, processes[-1], log)
        yield Served(url, provider, space)
    finally:
        for process in processes:
            # `winnow serve` and the server below it.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)
        space.close()


def log_in(page: Page, served: Served, email: str, confirmed: str = "yes", place: str = "/") -> None:
    page.goto(served.url + place)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{served.provider}/authorize*")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Confirmed").fill(confirmed)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(served.url + place)
    expect(page.get_by_role("button", name="Log out")).to_be_visible(timeout=SLOW_MS)
    settled(page)


def test_without_a_login_there_is_only_the_login_page(served: Served, person: Person) -> None:
    for place in ("", "/runs", "/review?queue=1", "/browse"):
        page = person()
        page.goto(served.url + place)
        expect(page.get_by_role("button", name="Log in")).to_be_visible(timeout=SLOW_MS)
        settled(page)
        assert page.locator("[data-testid='stAlert']").count() == 0
        assert page.locator("[data-testid='stSidebarNavLink']").count() == 0
        expect(page.locator("body")).not_to_contain_text("Runs")
        assert page.locator("img[src*=winnow]").count() == 0
        page.close()


def test_an_operator_may_launch_and_rules_under_the_name_of_the_login(served: Served, person: Person) -> None:
    page = person()
    log_in(page, served, OPERATOR)
    expect(page.locator("body")).to_contain_text(f"{OPERATOR} · operator")
    queue = make_queue(served.space, run_ids=(1,))
    page.goto(f"{served.url}/review?queue={queue.id}")
    drawn(page)
    shown = prediction(page)
    page.keyboard.press("a")
    all_stored(page)
    assert stored(served.space)[-1][:2] == (shown, "accept")
    assert Reviews(served.space.database).history(shown)[-1].reviewer == OPERATOR
    page.goto(f"{served.url}/runs")
    expect(page.get_by_text("New run").first).to_be_visible()


@pytest.mark.parametrize(
    ("email", "confirmed", "name"),
    [
        (REVIEWER, "yes", REVIEWER),
        # Anybody can claim an operator's address where the provider does not check it.
        (OPERATOR, "no", f"id-of-{OPERATOR}"),
    ],
)
def test_others_may_rule_and_not_launch(served: Served, person: Person, email: str, confirmed: str, name: str) -> None:
    page = person()
    log_in(page, served, email, confirmed)
    expect(page.locator("body")).to_contain_text(f"{name} · reviewer")
    page.goto(f"{served.url}/runs")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    settled(page)
    expect(page.get_by_text("New run")).to_have_count(0)


def test_a_link_from_elsewhere_opens_in_the_same_session(served: Served, person: Person) -> None:
    page = person()
    log_in(page, served, REVIEWER)

    def session() -> set[str]:
        return {str(one["value"]) for one in page.context.cookies() if one["name"] == COOKIE}

    before = session()
    assert before
    page.goto(f"{served.provider}/jwks")
    page.evaluate("url => { location.href = url; }", f"{served.url}/runs")
    expect(page.get_by_role("button", name="Log out")).to_be_visible(timeout=SLOW_MS)
    assert session() == before


def test_a_link_opened_before_the_login_is_where_the_login_ends(served: Served, person: Person) -> None:
    page = person()
    log_in(page, served, REVIEWER, place="/runs?run=1&text=a%26b%0D%0Ac")
    expect(page.get_by_role("heading", name="Run 1")).to_be_visible(timeout=SLOW_MS)


def test_who_logs_out_leaves_nothing_open(served: Served, person: Person) -> None:
    page = person()
    log_in(page, served, REVIEWER)
    queue = make_queue(served.space, run_ids=(1,))
    calls: list[dict[str, str]] = []
    path = f"/winnow/review/{queue.id}/items"
    page.on("request", lambda one: calls.append(one.all_headers()) if path in one.url else None)
    page.goto(f"{served.url}/review?queue={queue.id}")
    drawn(page)
    link = served.url + str(page.locator(".pane.first img").get_attribute("src"))
    headers = {name: calls[0][name] for name in ("authorization", "cookie")}
    items = f"{served.url}{path}?from=0"
    assert httpx.get(link, headers=headers).status_code == 200
    assert httpx.get(items, headers=headers).status_code == 200
    # Somebody who has no login has no way in either, whatever they know of the address.
    assert httpx.get(items).status_code == 403
    assert httpx.get(link).status_code == 403

    other_tab = page.context.new_page()
    other_tab.goto(served.url)
    settled(other_tab)
    other_tab.get_by_role("button", name="Log out").click()
    expect(other_tab.get_by_role("button", name="Log in")).to_be_visible(timeout=SLOW_MS)
    # What the browser was given while it was logged in opens nothing any more, copied or not.
    assert httpx.get(link, headers=headers).status_code == 403
    assert httpx.get(items, headers=headers).status_code == 403
    page.keyboard.press("a")
    expect(page.locator(".mark")).to_contain_text("not stored")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("button", name="Log in")).to_be_visible(timeout=SLOW_MS)


def test_a_broken_file_with_the_login_is_not_taken_for_no_login(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("[auth\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "backend.cli",
            "--workspace",
            str(tmp_path / "ws"),
            "serve",
            "--port",
            str(free_port()),
            "--no-browser",
        ],
        cwd=ROOT,
        env={**os.environ, "STREAMLIT_SECRETS_FILES": str(secrets)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "error: the file with the login cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_machines_are_refused_a_server_without_a_login(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "backend.cli",
            "--workspace",
            str(tmp_path / "ws"),
            "serve",
            "--port",
            str(free_port()),
            "--no-browser",
            "--address",
            "0.0.0.0",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2].startswith("error: 0.0.0.0 can be reached")
    assert "Traceback" not in done.stderr


def test_a_database_that_is_away_costs_nobody_their_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_session: str) -> bool:
        raise StoreError("the database is away")

    monkeypatch.setenv("WINNOW_WORKSPACE", str(tmp_path / "ws"))
    spaces.forget()
    page = Starlette(
        routes=[Route("/", lambda _request: HTMLResponse("<p>"))], middleware=[Middleware(SessionMiddleware)]
    )
    with TestClient(page, base_url="http://127.0.0.1") as client:
        assert COOKIE in client.get("/").cookies
        assert COOKIE in client.cookies
        monkeypatch.setattr("dashboard.session.ended", away)
        again = client.get("/")
        assert (again.status_code, COOKIE in again.cookies) == (200, False)
        assert COOKIE in client.cookies
    spaces.forget()
