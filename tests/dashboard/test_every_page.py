"""Every page on an empty, an ordinary, a hostile and a broken workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.workspace import Workspace
from tests.dashboard.conftest import Open
from tests.workspaces import build_hostile_workspace

PAGES: dict[str, dict[str, str]] = {
    "overview": {},
    "datasets": {},
    "runs": {"run": "1"},
    "compare": {"a": "1", "b": "2"},
    "browse": {},
    "review": {},
    "curate": {"runs": "1,2"},
}
every_page = pytest.mark.parametrize("name", list(PAGES))


def drawn_html(test: Any) -> str:
    """What pages draw with HTML allowed."""
    bodies = [m.value for m in test.markdown if getattr(m.proto, "allow_html", False)]
    return "\n".join(bodies)


@every_page
def test_an_empty_workspace_draws_no_error(
    empty_space: Workspace, open_page: Open, name: str
) -> None:
    test = open_page(name)
    assert not test.exception
    assert not test.error


@every_page
def test_an_ordinary_workspace_draws_no_error(
    demo_space: Workspace, open_page: Open, name: str
) -> None:
    test = open_page(name, **PAGES[name])
    assert not test.exception
    assert not test.error


@every_page
def test_hostile_texts_are_never_drawn_as_html(
    workspace_folder: Path, open_page: Open, name: str
) -> None:
    build_hostile_workspace(workspace_folder)
    test = open_page(name, **PAGES[name])
    assert not test.exception
    assert not test.error
    assert "onerror" not in drawn_html(test)
    assert "<script" not in drawn_html(test)


@every_page
def test_a_broken_workspace_is_one_line_and_a_hint(
    workspace_folder: Path, open_page: Open, name: str
) -> None:
    workspace_folder.mkdir()
    (workspace_folder / "winnow.db").write_bytes(b"a letter to my aunt\n" * 99)
    test = open_page(name, **PAGES[name])
    assert not test.exception
    assert len(test.error) == 1
    assert "not a database" in test.error[0].value.replace("\\", "")


@every_page
def test_a_link_to_what_is_not_there_is_no_traceback(
    demo_space: Workspace, open_page: Open, name: str
) -> None:
    test = open_page(
        name, run="99", a="99", b="x", queue="99", set="none@7", name="no such dataset"
    )
    assert not test.exception
    for error in test.error:
        assert "Something went wrong" not in error.value
