"""What another interpreter finds of an installed Winnow: its packages, and nothing beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.jobs.own_path import python_path


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder of packages, as pip fills it, with ours in it."""
    folder = tmp_path / "site-packages"
    for name in ("backend", "dashboard", "torch_of_another_python"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"FROM = {str(folder)!r}")
    return folder


def imported(path: str, name: str) -> bool:
    """Whether some interpreter finds a module under that ``PYTHONPATH``."""
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", f"import {name}"],
        env={"PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def test_another_interpreter_finds_ours_and_nothing_that_is_installed_beside_it(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    path = python_path(tmp_path / "ws", installed)
    assert imported(path, "backend")
    assert imported(path, "dashboard")
    assert not imported(path, "torch_of_another_python")


def test_what_a_person_put_on_the_path_stays_behind_ours_and_ours_is_there_once(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    first = python_path(tmp_path / "ws", installed)
    monkeypatch.setenv("PYTHONPATH", first)
    assert python_path(tmp_path / "ws", installed) == first
    assert first.split(os.pathsep)[1:] == ["/mine"]


def test_another_installation_that_works_on_the_workspace_is_found_from_then_on(
    installed: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    installed.rename(other)
    for root in (installed, other):
        path = python_path(tmp_path / "ws", root)
    assert imported(path.split(os.pathsep)[0], "backend")
