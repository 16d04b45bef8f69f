"""A workspace is its owner's, or its group's, whatever the umask says."""

from __future__ import annotations

import grp
import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import output
from backend.cli.main import app
from backend.curation.sets import freeze
from backend.export.exporter import export_set
from backend.files import private
from backend.files.workspaces import access_of, make_private
from backend.jobs.processes import spawn
from backend.media.thumbnails import browser_image
from backend.settings import Settings
from backend.workspace import open_workspace, settings_for
from dashboard.signing import signer
from tests.workspaces import build_workspace

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture(autouse=True)
def open_umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is not made private is everybody's."""
    monkeypatch.setattr(private, "_kept", {})
    before = os.umask(0o000)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {"folders": set(), "files": set()}
    for place, folders, files in os.walk(folder):
        for name in folders:
            found["folders"].add(stat.S_IMODE(Path(place, name).lstat().st_mode))
        for name in files:
            found["files"].add(stat.S_IMODE(Path(place, name).lstat().st_mode))
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("shared", [False, True])
def test_everything_in_a_new_workspace_is_its_owners_or_its_groups(tmp_path: Path, shared: bool) -> None:
    folder = tmp_path / "above" / "ws"
    group = grp.getgrgid(os.getegid()).gr_name if shared else None
    space = open_workspace(Settings(workspace=folder, shared_group=group))
    with space.database.write() as connection:  # so that -wal and -shm are there
        connection.exec_driver_sql("SELECT 1")
    pid, _ = spawn([sys.executable, "-c", ""], env={}, log_path=folder / "logs" / "run-1.log")
    os.waitpid(pid, 0)
    signer(folder, "test")
    assert mode(folder) == (0o2770 if shared else 0o700)
    assert {"winnow.db", "winnow.db-wal", "winnow.db-shm", "secret.key"} <= {path.name for path in folder.iterdir()}
    wanted = {"folders": {0o2770}, "files": {0o660}} if shared else {"folders": {0o700}, "files": {0o600}}
    assert modes(folder) == wanted
    assert mode(folder.parent) == 0o777, "what is above it is not ours"
    space.close()


def test_exports_and_thumbnails_in_it_are_private_and_exports_elsewhere_follow_the_umask(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir(0o700)
    space = build_workspace(tmp_path / "ws", images=3, videos=1)
    frozen = freeze(space.database, "s", [1])
    picture = next((tmp_path / "ws" / "media" / "t2i").rglob("*.jpg"))
    with picture.open("rb") as source:
        browser_image(source, space.folder / "cache" / "thumbs")
    export_set(space.database, frozen, format="jsonl", out=space.folder / "exports" / "s", bundle=True)
    for name in ("cache", "exports"):
        assert modes(space.folder / name) == {"folders": {0o700}, "files": {0o600}}
    os.umask(0o027)
    export_set(space.database, frozen, format="jsonl", out=tmp_path / "out", bundle=True)
    assert modes(tmp_path / "out") == {"folders": {0o750}, "files": {0o640}}
    space.close()


def test_an_older_workspace_that_is_open_to_others_is_narrowed_once_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "ws"
    (folder / "logs" / "old").mkdir(parents=True)
    (folder / "logs" / "old" / "run.log").write_text("x")
    (folder / "media").mkdir()
    (folder / "media" / "a.png").write_text("a person's")
    outside = tmp_path / "thesis.tex"
    outside.write_text("mine")
    (folder / "exports").symlink_to(tmp_path)
    (folder / "logs" / "link").symlink_to(outside)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            open_workspace(settings_for(folder)).close()
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder} was open to others (0777), and is for its owner alone now"
    ]
    assert mode(folder) == mode(folder / "logs" / "old") == 0o700
    assert mode(folder / "logs" / "old" / "run.log") == 0o600
    assert mode(outside) == mode(folder / "media" / "a.png") == 0o666, "not ours"


def test_a_shared_workspace_stays_shared_where_the_group_is_not_named_again(tmp_path: Path) -> None:
    make_private(tmp_path / "ws", os.getegid())
    make_private(tmp_path / "ws")
    assert mode(tmp_path / "ws") == 0o2770


@AS_ROOT
def test_a_workspace_that_belongs_to_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    folder.mkdir(0o755)
    os.chown(folder, 12345, -1)
    make_private(folder)
    assert mode(folder) == 0o755
    said = access_of(folder)[1]
    assert said and "open to others (0755)" in said and "12345" in said


def test_a_place_that_others_need_is_not_narrowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    (tmp_path / "home").mkdir(0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, kept in (("tmp", 0o1777), ("home", 0o755)):
        make_private(tmp_path / name)
        assert mode(tmp_path / name) == kept
        assert private.mode_below(tmp_path / name / "winnow.db") == private.OWNER


def test_doctor_says_the_mode_and_who_can_narrow_an_open_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ws"))
    (tmp_path / "ws").mkdir(0o755)
    monkeypatch.setattr(output.given, "workspace", tmp_path / "ws")
    done = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(done.stdout)
    assert report["workspace_mode"] == "0755"
    assert any("open to others (0755)" in text for text in report["warnings"])


def test_what_a_run_and_what_it_starts_make_is_private(tmp_path: Path) -> None:
    made = tmp_path / "ws" / "cache" / "torch"
    program = (
        "import os, sys; from pathlib import Path; from backend.files import keep_private, narrow_umask;"
        "keep_private(Path(sys.argv[1])); narrow_umask(Path(sys.argv[1]));"
        "os.makedirs(sys.argv[2]); os.system('touch ' + sys.argv[2] + '/kernel')"
    )
    make_private(tmp_path / "ws")
    subprocess.run([sys.executable, "-c", program, tmp_path / "ws", made], check=True)
    assert modes(tmp_path / "ws") == {"folders": {0o700}, "files": {0o600}}
