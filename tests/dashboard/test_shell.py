"""The shell: opening the app, errors as one line, who may be served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backend.domain.people import Person, Role
from backend.errors import Forbidden, SettingsError
from backend.inference.launch import RunRequest
from backend.workspace import Workspace
from dashboard import space as spaces
from dashboard.exposure import check_exposure
from dashboard.text import clean, md, visible

ROOT = Path(__file__).resolve().parents[2]


def app() -> AppTest:
    return AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=60).run()


def test_the_app_opens_on_an_empty_workspace(empty_space: Workspace) -> None:
    test = app()
    assert not test.exception
    assert not test.error


def test_a_workspace_that_is_no_workspace_is_one_line_and_a_hint(workspace_folder: Path) -> None:
    workspace_folder.mkdir()
    (workspace_folder / "winnow.db").write_bytes(b"a letter to my aunt\n" * 99)
    test = app()
    assert not test.exception
    (error,) = test.error
    assert "not a database" in error.value.replace("\\", "")
    assert "workspace" in error.value


@pytest.mark.parametrize("address", [None, "0.0.0.0", "::", "192.168.1.5"])
def test_other_machines_are_served_only_with_a_login_or_by_an_explicit_flag(address: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        check_exposure(address, login=False, allow_open=False)
    assert caught.value.hint
    check_exposure(address, login=True, allow_open=False)
    check_exposure(address, login=False, allow_open=True)


def test_the_machine_itself_is_served_without_a_login() -> None:
    check_exposure("127.0.0.1", login=False, allow_open=False)


def test_a_reviewer_is_refused_by_the_backend_itself(demo_space: Workspace) -> None:
    theirs = demo_space.acting_as(Person("eve", Role.REVIEWER))
    for act in (
        lambda: theirs.launcher.start(RunRequest(dataset="pictures", model="m")),
        lambda: theirs.launcher.cancel(1),
        lambda: theirs.launcher.resume(1),
    ):
        with pytest.raises(Forbidden):
            act()


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "**bold** [x](javascript:1)", "$\\frac{a}{b}$", ":red[x]", "`a`"]
)
def test_hostile_labels_are_escaped(text: str) -> None:
    escaped = md(text)
    assert escaped.replace("\\", "") == text.replace("\\", "")
    for character in "<*[`$:":
        assert escaped.count(character) == escaped.count(f"\\{character}")


# What remark-gfm makes links of, in text whose escapes are undone already.
AUTOLINKED = re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE | re.ASCII)


@pytest.mark.parametrize(
    "text",
    [
        "see https://evil.example/x",
        "HTTP://evil.example",
        "(www.evil.example)",
        "WWW.evil.example",
        "httphttps://wwwww.x.y",
    ],
)
def test_an_address_in_a_name_is_no_link(text: str) -> None:
    assert AUTOLINKED.search(text)
    shown = md(text).replace("\\", "")
    assert not AUTOLINKED.search(shown)
    assert shown.replace("\u2060", "") == text


def test_a_reviewers_address_can_be_copied_from_the_page() -> None:
    assert md("ada@example.org").replace("\\", "") == "ada@example.org"


def test_marks_that_reorder_or_control_are_made_visible() -> None:
    assert visible("a\u202eb\x00c\x1b[31mred\x1b[0m\ud800") == "a\ufffdb\ufffdcred\ufffd"
    assert clean("x" * 1_000_000) == "x" * 299 + "…"


def test_the_servers_key_is_private_and_made_once(empty_space: Workspace) -> None:
    from dashboard.signing import signer

    token = signer(empty_space.folder, "media:1").dumps([1])
    key = empty_space.folder / "secret.key"
    assert key.stat().st_mode & 0o077 == 0
    assert signer(empty_space.folder, "media:1").loads(token) == [1]
    spaces.forget()
