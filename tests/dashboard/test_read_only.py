"""A workspace that cannot be written: looked at, and changed by nobody."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

import dashboard.routes
from backend.cli import main
from backend.store.database import Database
from backend.store.schema import datasets
from backend.workspace import open_workspace, settings_for
from dashboard import space as spaces
from dashboard.media import sign
from dashboard.session import COOKIE
from tests.dashboard.conftest import ROOT, Open
from tests.dashboard.review_calls import SESSION
from tests.dashboard.test_every_page import PAGES, come_in
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """On a read-only mount as root, whom no permission binds; else without the permission."""
    source = tmp_path_factory.mktemp("read-only") / "ws"
    space = build_workspace(source, images=8, videos=1)
    space.freeze("signs", [1])
    space.close()
    if os.geteuid() != 0:
        (source / "winnow.db").chmod(0o444)
        source.chmod(0o555)
        yield source
        source.chmod(0o755)
        return
    mounted = source.parent / "mounted"
    mounted.mkdir()
    for options in ("bind", "remount,bind,ro"):
        words = ["mount", "-o", options, str(source), str(mounted)]
        if subprocess.run(words, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here, and root may write everywhere")
    yield mounted
    subprocess.run(["umount", "--lazy", str(mounted)], check=True)


@pytest.fixture
def looked_at(workspace_folder: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WINNOW_WORKSPACE", str(folder))
    spaces.forget()
    yield folder
    spaces.forget()


def test_commands_that_look_say_as_of_when(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    for words in (["dataset", "list"], ["run", "list"], ["run", "show", "1"], ["set", "list"], ["doctor"]):
        assert main(["--workspace", str(folder), *words]) == 0, words
        shown = capsys.readouterr()
        assert shown.out
        assert "is read-only; as of 20" in shown.err
        assert len(shown.err.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_commands_that_change_something_are_refused_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["set", "create", "more", "--run", "1"],
        ["run", "cancel", "1"],
        ["review", "add", "1", "--ruling", "reject", "--prediction", "1"],
    ):
        assert main(["--workspace", str(folder), *words]) == 1, words
        lines = capsys.readouterr().err.splitlines()
        assert [line for line in lines if line.startswith("error:") and "read-only" in line], lines
        assert "Traceback" not in " ".join(lines)


def test_what_somebody_else_writes_meanwhile_is_in_the_copy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = folder.parent / "ws" / "winnow.db"
    if beside.parent == folder:
        pytest.skip("the folder has no writable side here")
    writer = Database(beside)
    try:
        with writer.write() as connection:
            connection.execute(update(datasets).where(datasets.c.id == 1).values(name="renamed"))
        # It has not been moved from the WAL into the file, and is no less stored.
        assert (beside.parent / "winnow.db-wal").stat().st_size
        assert main(["--workspace", str(folder), "dataset", "list"]) == 0
        assert "renamed" in capsys.readouterr().out
    finally:
        with writer.write() as connection:
            connection.execute(update(datasets).where(datasets.c.id == 1).values(name="pictures"))
        writer.close()


def test_the_copy_is_private_and_goes_with_the_workspace(folder: Path) -> None:
    space = open_workspace(settings_for(folder))
    assert space.scratch is not None
    place = Path(space.scratch.name)
    assert place.stat().st_mode & 0o077 == 0
    space.close()
    assert not place.exists()


def test_a_folder_that_is_no_workspace_and_cannot_become_one_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--workspace", str(folder / "media"), "run", "list"]) == 1
    error, _hint = capsys.readouterr().err.splitlines()
    assert "cannot be used as a workspace" in error


@pytest.mark.parametrize("name", list(PAGES))
def test_every_page_can_be_looked_at(looked_at: Path, open_page: Open, name: str) -> None:
    test = come_in(open_page(name, **PAGES[name]))
    assert not test.exception
    assert [error.value for error in test.error] == []


def test_the_sidebar_says_so_and_asks_nobody_who_they_are(looked_at: Path) -> None:
    test = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=60).run()
    assert not test.exception
    said = " ".join(str(one.value) for one in test.sidebar.markdown)
    assert "Read-only; as of 20" in said
    assert not test.sidebar.text_input


def test_media_and_thumbnails_are_shown(looked_at: Path) -> None:
    with TestClient(Starlette(routes=dashboard.routes.routes), cookies={COOKIE: SESSION}) as client:
        for size in (0, 160):
            assert client.get(sign(SESSION, 1, "first", size)).status_code == 200
