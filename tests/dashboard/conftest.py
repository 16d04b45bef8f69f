"""Pages by AppTest: the whole app on a small real workspace, without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backend.workspace import Workspace, open_workspace, settings_for
from dashboard import space as spaces
from tests.workspaces import build_workspace

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., AppTest]


@pytest.fixture
def workspace_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that the app will open as its workspace."""
    folder = tmp_path / "ws"
    monkeypatch.setenv("WINNOW_WORKSPACE", str(folder))
    spaces.forget()
    yield folder
    spaces.forget()


@pytest.fixture
def empty_space(workspace_folder: Path) -> Workspace:
    return open_workspace(settings_for(workspace_folder))


@pytest.fixture
def demo_space(workspace_folder: Path) -> Workspace:
    """See :func:`tests.workspaces.build_workspace`."""
    return build_workspace(workspace_folder)


@pytest.fixture
def open_page(workspace_folder: Path) -> Open:
    """``open_page("runs", run="1")`` runs a page's script as the app does, with that query."""

    def open_(name: str, /, *, as_person: str = "Ada", **query: str) -> AppTest:
        test = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=60)
        test.session_state["winnow_name"] = as_person
        for key, value in query.items():
            test.query_params[key] = value
        return test.run()

    return open_
