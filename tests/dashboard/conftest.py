"""Pages by AppTest: the whole app on a small real workspace, without a browser."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

import dashboard.routes
from backend.curation.queues import NewQueue, Queues
from backend.domain.people import Person, Role
from backend.store.queues import QueueRow
from backend.workspace import Workspace, open_workspace, settings_for
from dashboard import space as spaces
from dashboard.session import COOKIE
from tests.dashboard.review_calls import SESSION, bearer
from tests.dashboard.trainings import Trained, make_training
from tests.tasks_here import do_tasks
from tests.workspaces import build_workspace

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def tasks_are_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No supervisor is started: tasks are done at once, runs and trainings stay queued."""
    monkeypatch.setattr(Workspace, "supervise", do_tasks)


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


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is queued stays so; the processes are tested in tests/integration and tests/browser."""
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)


@pytest.fixture
def as_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    eve = Person("eve", Role.REVIEWER)
    monkeypatch.setattr("dashboard.identity.present_person", lambda: eve)


@pytest.fixture
def sets_space(demo_space: Workspace) -> Workspace:
    """The workspace with two sets: ``signs`` of images, ``mixed`` of images and videos."""
    demo_space.freeze("signs", [1])
    demo_space.freeze("mixed", [1, 3])
    return demo_space


@pytest.fixture
def trained(sets_space: Workspace) -> Trained:
    """``trained(status)`` is a training that ended so, with twelve steps and two checkpoints."""
    return functools.partial(make_training, sets_space)


@pytest.fixture
def client(demo_space: Workspace) -> Iterator[TestClient]:
    """Ada's browser, calling the routes of the review page."""
    app = Starlette(routes=dashboard.routes.routes)
    with TestClient(app, cookies={COOKIE: SESSION}) as client:
        client.headers["Authorization"] = bearer(demo_space, "Ada")
        yield client


@pytest.fixture
def queue(demo_space: Workspace) -> QueueRow:
    """All of run 2, unreviewed."""
    new = NewQueue(kind="unreviewed", title="q", run_ids=(2,))
    return Queues(demo_space.database).make(new, created_by="Ada")


@pytest.fixture
def blind_queue(demo_space: Workspace) -> QueueRow:
    new = NewQueue(kind="audit_rejected", title="Random audit · rejected", run_ids=(2,), blind=True)
    return Queues(demo_space.database).make(new, created_by="Ada")
