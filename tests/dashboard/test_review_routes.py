"""The routes that the pair viewer of the review page calls."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

import dashboard.routes
from backend.curation.rulings import Rulings
from backend.store.people import People
from backend.store.queues import QueueRow
from backend.workspace import Workspace
from tests.dashboard.review_calls import bearer, detail, get_items, post, ruling


def test_items_are_of_the_shown_order(client: TestClient, queue: QueueRow) -> None:
    rows = get_items(client, queue, "from=0&count=60")
    by_order = {row["order"]: row for row in rows if row["pair"] == rows[0]["pair"]}
    assert by_order["dataset"]["first"] == by_order["swapped"]["second"]
    assert by_order["dataset"]["second"] == by_order["swapped"]["first"]
    assert by_order["dataset"]["preferred"] == "first"
    assert by_order["swapped"]["preferred"] == "second"
    assert client.get(by_order["swapped"]["first"]).status_code == 200
    assert len(by_order["dataset"]["siblings"]) == 4


def test_a_ruling_is_stored_and_acknowledged_again(client: TestClient, queue: QueueRow, demo_space: Workspace) -> None:
    item = get_items(client, queue)[0]
    one = ruling(queue, item, ruling="relabel", relabel="second", note="n", tags=["x"])
    for _ in range(2):
        answer = post(client, one)
        assert answer["stored"] == ["t"]
        assert answer["progress"][str(queue.id)]["done"] == 1
    [row] = Rulings(demo_space.database).history(item["prediction"])
    assert (row.reviewer, row.relabel, row.note, row.tags) == ("Ada", "second", "n", ("x",))
    again = get_items(client, queue, "from=0&count=1&exact=1")[0]
    assert again["mine"] == {"ruling": "relabel", "relabel": "second", "token": "t", "note": "n", "tags": ["x"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"ruling": "perhaps"},
        {"ruling": "relabel"},
        {"relabel": "first"},
        {"note": "x" * 10_001},
        {"note": 3},
        {"tags": ["x"] * 21},
        {"tags": [1]},
        {"tags": [""]},
        {"position": "0"},
        {"position": True},
        {"prediction_id": 9_999},
        {"ruling": "undo"},
        {"token": "x" * 65},
    ],
)
def test_a_ruling_that_makes_no_sense_is_refused_alone(
    client: TestClient, queue: QueueRow, wrong: dict[str, Any]
) -> None:
    first, second = get_items(client, queue)[:2]
    answer = post(client, {**ruling(queue, first, "bad"), **wrong}, ruling(queue, second, "good"))
    assert answer["stored"] == ["good"]
    [refused] = answer["refused"]
    assert refused["token"] == wrong.get("token", "bad")
    assert refused["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"rulings": 1}', b'{"rulings": [{}]}', b'{"rulings": [1]}'])
def test_a_broken_request_is_one_line(client: TestClient, queue: QueueRow, body: bytes) -> None:
    answer = client.post("/winnow/review/rulings", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_a_request_of_many_megabytes_is_refused(client: TestClient, queue: QueueRow) -> None:
    answer = client.post("/winnow/review/rulings", content=b" " * 9_000_000)
    assert answer.status_code == 400


def test_only_the_pages_own_calls_are_answered(client: TestClient, queue: QueueRow, demo_space: Workspace) -> None:
    path = f"/winnow/review/{queue.id}/items?from=0"
    wrong = [
        {"Authorization": ""},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": bearer(demo_space, "Ada", session="b" * 32)},
        {"Authorization": bearer(demo_space, "Ada", expires=1)},
        {"Authorization": bearer(demo_space, "")},
        {"Sec-Fetch-Site": "cross-site"},
    ]
    for headers in wrong:
        assert client.get(path, headers=headers).status_code == 403
        answer = client.post("/winnow/review/rulings", json={"rulings": []}, headers=headers)
        assert answer.status_code == 403


def test_statistics_come_with_the_progress(client: TestClient, queue: QueueRow) -> None:
    rows = get_items(client, queue, "from=0&count=20")
    post(client, *(ruling(queue, row, f"t{row['position']}") for row in rows[:10]))
    found = client.get(f"/winnow/review/{queue.id}/stats").json()
    assert found["progress"]["done"] == 10
    assert found["audit"]["rulings"] == 10
    # These pairs are no random sample: counts, and nothing that they would estimate.
    assert found["audit"]["precision"] == {"hits": 9, "n": 9, "share": None}


def test_no_route_starts_or_stops_anything() -> None:
    """Roles are asked for where the workspace is asked to act; our routes only store rulings."""
    writing = {
        route.path
        for route in dashboard.routes.routes
        if isinstance(route, Route) and route.methods and route.methods - {"GET", "HEAD"}
    }
    assert writing == {"/winnow/review/{queue:int}/release", "/winnow/review/rulings", "/winnow/review/settings"}


def test_leaving_gives_the_claims_back(client: TestClient, queue: QueueRow, demo_space: Workspace) -> None:
    answer = client.get(f"/winnow/review/{queue.id}/items?from=0&count=3").json()
    path = f"/winnow/review/{queue.id}/release"
    assert client.post(path, json={"before": answer["expires_at"]}).status_code == 200
    assert client.post(path, json={"before": "x"}).status_code == 400
    client.headers["Authorization"] = bearer(demo_space, "Bob")
    assert get_items(client, queue, "from=0&count=1")[0]["position"] == 0


def test_keys_are_kept_for_the_person(client: TestClient, demo_space: Workspace) -> None:
    body = {"keys": {"accept": "k"}, "blind": True}
    assert client.post("/winnow/review/settings", json=body).status_code == 200
    kept = People(demo_space.database).settings("Ada")["review"]
    assert kept == {"keys": {"accept": "k"}, "blind": True}
    wrong = client.post("/winnow/review/settings", json={"keys": {"accept": "k" * 99}})
    assert wrong.status_code == 400


def test_settings_that_are_not_named_stay(client: TestClient, demo_space: Workspace) -> None:
    for body in ({"blind": True}, {"keys": {"accept": "k"}}):
        assert client.post("/winnow/review/settings", json=body).status_code == 200
    kept = People(demo_space.database).settings("Ada")["review"]
    assert kept == {"blind": True, "keys": {"accept": "k"}}


def test_a_relabel_says_which_side_and_a_reload_knows_the_decision_that_counts(
    client: TestClient, queue: QueueRow, demo_space: Workspace
) -> None:
    first, second, third = get_items(client, queue, "from=0&count=5")[:3]
    other = {"first": "second", "second": "first"}[first["answer"]]
    Rulings(demo_space.database).add(first["prediction"], "relabel", relabel=other, reviewer="Bob", token="b")
    Rulings(demo_space.database).add(second["prediction"], "reject", reviewer="Bob", token="c")
    rows = {row["prediction"]: row for row in get_items(client, queue)}
    ruled = rows[first["prediction"]]
    assert (ruled["reviewer"], ruled["relabel"], ruled["effective"]) == ("Bob", other, "rejected")
    assert rows[second["prediction"]]["relabel"] is None
    assert rows[third["prediction"]]["relabel"] is None
    assert detail(client, queue, first["prediction"])["relabel"] == other
