"""The review page's script, and the routes that the pair viewer calls."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

import dashboard.routes
from backend.curation.queues import NewQueue, QueueKind, Queues
from backend.curation.rulings import Rulings
from backend.store.locating import locate
from backend.store.people import People
from backend.store.queues import QueueRow
from backend.workspace import Workspace
from dashboard.media import sign
from dashboard.session import COOKIE
from dashboard.signing import signer

Open = Callable[..., AppTest]
SESSION = "a" * 32
LATER = 4_000_000_000


def bearer(space: Workspace, name: str, session: str = SESSION, expires: int = LATER) -> str:
    claims = [session, name, "reviewer", expires]
    return f"Bearer {signer(space.folder, 'api').dumps(claims)}"


@pytest.fixture
def client(demo_space: Workspace) -> Iterator[TestClient]:
    app = Starlette(routes=dashboard.routes.routes)
    with TestClient(app, cookies={COOKIE: SESSION}) as client:
        client.headers["Authorization"] = bearer(demo_space, "Ada")
        yield client


@pytest.fixture
def queue(demo_space: Workspace) -> QueueRow:
    new = NewQueue(kind=QueueKind.UNREVIEWED, title="q", run_ids=(2,))
    return Queues(demo_space.database).make(new, created_by="Ada")


def ruling(queue: QueueRow, item: dict[str, Any], token: str = "t", **more: Any) -> dict[str, Any]:
    return {
        "token": token, "queue": queue.id, "position": item["position"],
        "prediction_id": item["prediction"], "ruling": "accept", **more,
    }  # fmt: skip


def get_items(client: TestClient, queue: QueueRow, query: str = "from=0&count=5") -> list[Any]:
    answer = client.get(f"/winnow/review/{queue.id}/items?{query}")
    assert answer.status_code == 200
    return list(answer.json()["items"])


def post(client: TestClient, *rulings: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/winnow/review/rulings", json={"rulings": list(rulings)})
    assert answer.status_code == 200
    return dict(answer.json())


def test_an_empty_workspace_says_what_comes_first(empty_space: Workspace, open_page: Open) -> None:
    page = open_page("review")
    assert not page.exception
    assert [one.value for one in page.subheader] == ["Nothing to review yet"]


def test_a_queue_is_made_from_the_page_and_opened(demo_space: Workspace, open_page: Open) -> None:
    page = open_page("review")
    page.selectbox(key="queue_kind").select(QueueKind.AUDIT_ACCEPTED).run()
    page.number_input[0].set_value(5)
    next(one for one in page.button if one.label == "Make queue").click().run()
    assert not page.exception
    [made] = Queues(demo_space.database).newest()
    assert (made.kind, made.items, made.created_by) == ("audit_accepted", 5, "Ada")
    assert page.query_params["queue"] == str(made.id)


def test_a_queue_that_nothing_belongs_into_is_one_line_and_a_hint(
    demo_space: Workspace, open_page: Open
) -> None:
    page = open_page("review")
    page.selectbox(key="queue_kind").select(QueueKind.FLAGGED).run()
    next(one for one in page.button if one.label == "Make queue").click().run()
    assert not page.exception
    assert "nobody has flagged anything" in page.error[0].value


@pytest.mark.parametrize("number", ["99", "x", "1" * 40, "-1"])
def test_an_unknown_queue_is_one_line_and_a_hint(
    demo_space: Workspace, open_page: Open, number: str
) -> None:
    page = open_page("review", queue=number)
    assert not page.exception
    assert "no" in page.error[0].value


def test_the_name_is_asked_for_before_anything_else(demo_space: Workspace, open_page: Open) -> None:
    page = open_page("review", as_person="")
    assert "Who is reviewing" in page.markdown[0].value


@pytest.mark.parametrize("at", ["0", "3", "999999", "-1", "x", "9" * 30])
def test_the_room_opens_wherever_the_url_says(queue: QueueRow, open_page: Open, at: str) -> None:
    page = open_page("review", queue=str(queue.id), at=at)
    assert not page.exception
    assert not page.error


def test_items_are_of_the_shown_order(client: TestClient, queue: QueueRow) -> None:
    rows = get_items(client, queue, "from=0&count=60")
    by_order = {row["order"]: row for row in rows if row["pair"] == rows[0]["pair"]}
    assert by_order["dataset"]["first"] == by_order["swapped"]["second"]
    assert by_order["dataset"]["second"] == by_order["swapped"]["first"]
    assert by_order["dataset"]["preferred"] == "first"
    assert by_order["swapped"]["preferred"] == "second"
    assert client.get(by_order["swapped"]["first"]).status_code == 200
    assert len(by_order["dataset"]["siblings"]) == 4


def test_a_ruling_is_stored_and_acknowledged_again(
    client: TestClient, queue: QueueRow, demo_space: Workspace
) -> None:
    item = get_items(client, queue)[0]
    one = ruling(queue, item, ruling="relabel", relabel="second", note="n", tags=["x"])
    for _ in range(2):
        answer = post(client, one)
        assert answer["stored"] == ["t"]
        assert answer["progress"][str(queue.id)]["done"] == 1
    [row] = Rulings(demo_space.database).history(item["prediction"])
    assert (row.reviewer, row.relabel, row.note, row.tags) == ("Ada", "second", "n", ("x",))
    again = get_items(client, queue, "from=0&count=1&exact=1")[0]
    assert again["mine"] == {
        "ruling": "relabel", "relabel": "second", "token": "t", "note": "n", "tags": ["x"],
    }  # fmt: skip


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


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"rulings": 1}', b'{"rulings": [{}]}', b'{"rulings": [1]}']
)
def test_a_broken_request_is_one_line(client: TestClient, queue: QueueRow, body: bytes) -> None:
    answer = client.post("/winnow/review/rulings", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_a_request_of_many_megabytes_is_refused(client: TestClient, queue: QueueRow) -> None:
    answer = client.post("/winnow/review/rulings", content=b" " * 9_000_000)
    assert answer.status_code == 400


def test_only_the_pages_own_calls_are_answered(
    client: TestClient, queue: QueueRow, demo_space: Workspace
) -> None:
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


def test_independent_rulings_do_not_tell_what_others_said(
    client: TestClient, demo_space: Workspace
) -> None:
    new = NewQueue(kind=QueueKind.UNREVIEWED, title="q", run_ids=(1,), rulings_wanted=2)
    queue = Queues(demo_space.database).make(new, created_by="Ada")
    item = get_items(client, queue, "from=0&count=1")[0]
    post(client, ruling(queue, item, ruling="reject", note="secret"))
    client.headers["Authorization"] = bearer(demo_space, "Bob")
    text = client.get(f"/winnow/review/{queue.id}/items?from=0&count=1").text
    assert '"position": 0' in text
    assert '"effective": "accepted"' in text
    for word in ("Ada", "secret", '"reject"'):
        assert word not in text
    detail = client.get(f"/winnow/review/{queue.id}/predictions/{item['prediction']}").text
    assert "Ada" not in detail


@pytest.fixture
def blind_queue(demo_space: Workspace) -> QueueRow:
    new = NewQueue(
        kind=QueueKind.AUDIT_REJECTED, title="Random audit · rejected", run_ids=(2,), blind=True
    )
    return Queues(demo_space.database).make(new, created_by="Ada")


TELLING = {
    "answer", "preferred", "margin", "scores", "decision", "reason", "effective", "pieces",
    "length", "flaws", "siblings", "order", "ruling", "reviewer", "cut",
}  # fmt: skip


def detail(client: TestClient, queue: QueueRow, prediction: int) -> dict[str, Any]:
    answer = client.get(f"/winnow/review/{queue.id}/predictions/{prediction}")
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_blind_queue_sends_nothing_that_tells_before_the_ruling(
    client: TestClient, blind_queue: QueueRow
) -> None:
    rows = get_items(client, blind_queue, "from=0&count=60")
    assert len(rows) > 3
    for row in rows:
        assert not TELLING & row.keys()
        assert row["withheld"] is True
        assert client.get(row["first"]).status_code == 200
        assert not TELLING & detail(client, blind_queue, row["prediction"]).keys()
    text = client.get(f"/winnow/review/{blind_queue.id}/items?from=0&count=60").text
    for word in ("<think>", "rejected", "accepted", "disagrees", "swapped"):
        assert word not in text


def test_a_ruling_opens_its_own_pair_and_no_other_item(
    client: TestClient, demo_space: Workspace
) -> None:
    new = NewQueue(kind=QueueKind.UNREVIEWED, title="q", run_ids=(2,), blind=True)
    queue = Queues(demo_space.database).make(new, created_by="Ada")
    rows = get_items(client, queue, "from=0&count=60")
    mine = rows[0]
    family = {row["prediction"] for row in rows if row["pair"] == mine["pair"]}
    assert len(family) == 4
    post(client, ruling(queue, mine, ruling="relabel", relabel="first"))
    [opened] = [
        row
        for row in get_items(client, queue, "from=0&count=60&exact=1")
        if row["position"] == mine["position"]
    ]
    assert opened.keys() >= TELLING
    assert opened["mine"]["relabel"] == "first"
    assert (opened["first"], opened["second"]) == (mine["first"], mine["second"])
    for row in (opened, detail(client, queue, mine["prediction"])):
        known = {one["id"]: (one["answer"], one["effective"]) for one in row["siblings"]}
        assert known.keys() == family
        assert known.pop(mine["prediction"])[0] is not None
        assert set(known.values()) == {(None, None)}
    # The other samples are items of the queue themselves, and wait for their own ruling.
    for other in family - {mine["prediction"]}:
        assert not TELLING & detail(client, queue, other).keys()
    # Taken back, it is closed again; and nothing was ever open to somebody else.
    client.headers["Authorization"] = bearer(demo_space, "Bob")
    assert not TELLING & detail(client, queue, mine["prediction"]).keys()
    client.headers["Authorization"] = bearer(demo_space, "Ada")
    post(client, ruling(queue, mine, "u", ruling="undo", undoes="t"))
    assert not TELLING & detail(client, queue, mine["prediction"]).keys()


def test_the_other_order_of_a_ruled_pair_opens_when_it_is_no_item(
    client: TestClient, demo_space: Workspace
) -> None:
    new = NewQueue(kind=QueueKind.FILTER, title="q", blind=True)
    everything = NewQueue(kind=QueueKind.UNREVIEWED, title="all", run_ids=(2,))
    rows = get_items(
        client, Queues(demo_space.database).make(everything, created_by="Ada"), "from=0&count=60"
    )
    other = next(one["id"] for one in rows[0]["siblings"] if one["id"] != rows[0]["prediction"])
    stranger = next(row["prediction"] for row in rows if row["pair"] != rows[0]["pair"])
    queue = Queues(demo_space.database).make(new, created_by="Ada", ids=[rows[0]["prediction"]])
    assert not TELLING & detail(client, queue, other).keys()
    post(client, ruling(queue, get_items(client, queue)[0]))
    assert detail(client, queue, other).keys() >= TELLING
    assert not TELLING & detail(client, queue, stranger).keys()


def test_a_link_does_not_tell_which_medium_stands_first_in_the_dataset(
    client: TestClient, queue: QueueRow, demo_space: Workspace
) -> None:
    # What stands in a link can be read by everybody: pair, side, size, time.
    first = [payload(sign(SESSION, pair, "first"))[1] for pair in range(64)]
    second = [payload(sign(SESSION, pair, "second"))[1] for pair in range(64)]
    assert set(first) == {0, 1}
    assert [1 - side for side in first] == second
    elsewhere = [payload(sign("b" * 32, pair, "first"))[1] for pair in range(64)]
    assert elsewhere != first


def test_a_link_leads_to_the_medium_it_was_made_for(
    client: TestClient, demo_space: Workspace
) -> None:
    for pair in (1, 2, 3, 4):
        found = locate(demo_space.database, pair)
        for side, path in (("first", found.first), ("second", found.second)):
            link = sign(SESSION, pair, side)  # type: ignore[arg-type]
            assert client.get(link).content == (Path(found.data_root) / path).read_bytes()


def payload(url: str) -> list[Any]:
    text = url.rsplit("/", 1)[-1].split(".")[0]
    return list(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


def test_the_title_of_a_blind_queue_does_not_tell_what_it_was_made_of(
    blind_queue: QueueRow, open_page: Open
) -> None:
    own = open_page("review", as_person="Ada")
    assert any("rejected" in one.value for one in own.markdown)
    other = open_page("review", as_person="Bob")
    assert not any("rejected" in one.value for one in other.markdown)
    assert any(f"Blind review {blind_queue.id}" in one.value for one in other.markdown)


def test_statistics_come_with_the_progress(client: TestClient, queue: QueueRow) -> None:
    rows = get_items(client, queue, "from=0&count=20")
    post(client, *(ruling(queue, row, f"t{row['position']}") for row in rows[:10]))
    found = client.get(f"/winnow/review/{queue.id}/stats").json()
    assert found["progress"]["done"] == 10
    assert found["audit"]["rulings"] == 10
    assert found["audit"]["precision"]["share"] == 1.0


def test_no_route_starts_or_stops_anything() -> None:
    """Roles are asked for where the workspace is asked to act; our routes only store rulings."""
    writing = {
        route.path
        for route in dashboard.routes.routes
        if isinstance(route, Route) and route.methods and route.methods - {"GET", "HEAD"}
    }
    assert writing == {
        "/winnow/review/{queue:int}/release", "/winnow/review/rulings", "/winnow/review/settings",
    }  # fmt: skip


def test_leaving_gives_the_claims_back(
    client: TestClient, queue: QueueRow, demo_space: Workspace
) -> None:
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
    Rulings(demo_space.database).add(
        first["prediction"], "relabel", relabel=other, reviewer="Bob", token="b"
    )
    Rulings(demo_space.database).add(second["prediction"], "reject", reviewer="Bob", token="c")
    rows = {row["prediction"]: row for row in get_items(client, queue)}
    ruled = rows[first["prediction"]]
    assert (ruled["reviewer"], ruled["relabel"], ruled["effective"]) == ("Bob", other, "rejected")
    assert rows[second["prediction"]]["relabel"] is None
    assert rows[third["prediction"]]["relabel"] is None
    assert detail(client, queue, first["prediction"])["relabel"] == other


def test_an_unknown_queue_has_the_list_below(
    demo_space: Workspace, queue: QueueRow, open_page: Open
) -> None:
    page = open_page("review", queue="999")
    assert "there is no review queue 999" in page.error[0].value
    page.button(key=f"open_{queue.id}").click().run()
    assert page.query_params["queue"] == str(queue.id)


def test_a_closed_queue_is_folded_away_until_its_maker_reopens_it(
    demo_space: Workspace, queue: QueueRow, open_page: Open
) -> None:
    assert not [one for one in open_page("review", as_person="Bob").button if one.label == "Close"]
    page = open_page("review")
    page.button(key=f"close_{queue.id}").click().run()
    assert not page.exception
    assert [one.label for one in page.expander] == ["Closed (1)"]
    other = open_page("review", as_person="Bob")
    assert [one.label for one in other.expander] == ["Closed (1)"]
    assert not [one for one in other.button if one.label == "Reopen"]
    page.button(key=f"close_{queue.id}").click().run()
    assert not page.expander
    assert Queues(demo_space.database).get(queue.id).items == queue.items
