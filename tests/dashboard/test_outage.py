"""Pages and routes while the database is away, and when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import dashboard.routes
from backend.curation.queues import NewQueue, Queues
from backend.curation.rulings import Rulings
from backend.workspace import Workspace
from dashboard import space as spaces
from dashboard.session import COOKIE
from tests.dashboard.conftest import Open
from tests.dashboard.review_calls import SESSION, bearer, get_items, post, ruling
from tests.dashboard.test_every_page import PAGES
from tests.postgres import Server
from tests.workspaces import build_workspace

_LOOKED_AT = ("overview", "runs", "browse", "review")


@pytest.fixture
def space(
    postgres: Server, workspace_folder: Path, monkeypatch: pytest.MonkeyPatch, nothing_starts: None
) -> Iterator[Workspace]:
    """A small workspace on PostgreSQL."""
    monkeypatch.setenv("WINNOW_DATABASE_URL", postgres.new())
    made = build_workspace(workspace_folder, images=4, videos=1)
    yield made
    made.close()


def test_pages_say_in_one_line_that_the_database_is_away_and_come_back_with_it(
    space: Workspace, postgres: Server, open_page: Open
) -> None:
    spaces.shared()
    postgres.stop()
    try:
        away = {name: open_page(name, **PAGES[name]) for name in _LOOKED_AT}
    finally:
        postgres.start()
    for name, test in away.items():
        assert not test.exception, name
        assert not test.error, name
        said = [warning.value for warning in test.warning]
        assert any("does not answer just now" in line for line in said), (name, said)
    for name, test in away.items():
        test.run()
        assert not test.exception, name
        assert not [one for one in test.warning if "does not answer" in one.value], name


def test_a_ruling_that_meets_no_database_is_answered_try_again_and_stored_once(
    space: Workspace, postgres: Server
) -> None:
    new = NewQueue(kind="unreviewed", title="q", run_ids=(2,))
    queue = Queues(space.database).make(new, created_by="Ada")
    with TestClient(Starlette(routes=dashboard.routes.routes), cookies={COOKIE: SESSION}) as client:
        client.headers["Authorization"] = bearer(space, "Ada")
        item = get_items(client, queue)[0]
        said = ruling(queue, item)
        postgres.stop()
        try:
            refused = client.post("/winnow/review/rulings", json={"rulings": [said]})
            items = client.get(f"/winnow/review/{queue.id}/items?from=0&count=5")
            media = client.get(item["first"])
        finally:
            postgres.start()
        for answer in (refused, items, media):
            assert answer.status_code == 503
            assert "try again" in answer.json()["hint"]
        assert [post(client, said)["stored"] for _ in range(2)] == [["t"], ["t"]]
    assert len(Rulings(space.database).history(item["prediction"])) == 1
