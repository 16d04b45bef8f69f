"""What a blind queue's reviewer is told, and when."""

from __future__ import annotations

import base64
import json
from typing import Any

from starlette.testclient import TestClient

from backend.curation.queues import NewQueue, Queues
from backend.domain.browse import BrowseFilter
from backend.store.browse import Browse
from backend.store.locating import locate
from backend.store.queues import QueueRow
from backend.workspace import Workspace
from dashboard.browse.cards import cards
from dashboard.media import sign
from tests.dashboard.conftest import Open
from tests.dashboard.review_calls import SESSION, TELLING, bearer, detail, get_items, post, ruling


def test_independent_rulings_do_not_tell_what_others_said(client: TestClient, demo_space: Workspace) -> None:
    new = NewQueue(kind="unreviewed", title="q", run_ids=(1,), rulings_wanted=2)
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


def test_a_blind_queue_sends_nothing_that_tells_before_the_ruling(client: TestClient, blind_queue: QueueRow) -> None:
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


def test_a_ruling_opens_its_own_pair_and_no_other_item(client: TestClient, demo_space: Workspace) -> None:
    new = NewQueue(kind="unreviewed", title="q", run_ids=(2,), blind=True)
    queue = Queues(demo_space.database).make(new, created_by="Ada")
    rows = get_items(client, queue, "from=0&count=60")
    mine = rows[0]
    family = {row["prediction"] for row in rows if row["pair"] == mine["pair"]}
    assert len(family) == 4
    post(client, ruling(queue, mine, ruling="relabel", relabel="first"))
    [opened] = [
        row for row in get_items(client, queue, "from=0&count=60&exact=1") if row["position"] == mine["position"]
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


def test_the_other_order_of_a_ruled_pair_opens_when_it_is_no_item(client: TestClient, demo_space: Workspace) -> None:
    new = NewQueue(kind="filter", title="q", blind=True)
    everything = NewQueue(kind="unreviewed", title="all", run_ids=(2,))
    rows = get_items(client, Queues(demo_space.database).make(everything, created_by="Ada"), "from=0&count=60")
    other = next(one["id"] for one in rows[0]["siblings"] if one["id"] != rows[0]["prediction"])
    stranger = next(row["prediction"] for row in rows if row["pair"] != rows[0]["pair"])
    queue = Queues(demo_space.database).make(new, created_by="Ada", ids=[rows[0]["prediction"]])
    assert not TELLING & detail(client, queue, other).keys()
    post(client, ruling(queue, get_items(client, queue)[0]))
    assert detail(client, queue, other).keys() >= TELLING
    assert not TELLING & detail(client, queue, stranger).keys()


def test_what_waits_in_a_blind_queue_is_closed_in_every_other_room_until_it_is_ruled_on(
    client: TestClient, queue: QueueRow, demo_space: Workspace
) -> None:
    rows = get_items(client, queue, "from=0&count=60")
    held = rows[0]["prediction"]
    other = next(row for row in rows if row["pair"] == rows[0]["pair"] and row is not rows[0])
    new = NewQueue(kind="filter", title="t", blind=True)
    blind = Queues(demo_space.database).make(new, created_by="Ada", ids=[held])
    again = get_items(client, queue, "from=0&count=60")
    assert not TELLING & again[0].keys()
    assert again[0]["held_by"] == blind.id
    assert not TELLING & detail(client, queue, held).keys()
    # Nor does another sample of the pair tell what was said in this one.
    assert detail(client, queue, other["prediction"]).keys() >= TELLING
    for row in [detail(client, queue, other["prediction"]), again[other["position"]]]:
        [told] = [one for one in row["siblings"] if one["id"] == held]
        assert (told["answer"], told["effective"]) == (None, None)
    post(client, ruling(queue, again[0], ruling="relabel", relabel="first"))
    assert detail(client, queue, held).keys() >= TELLING
    mine = get_items(client, queue, f"from={again[0]['position']}&count=1&exact=1")[0]
    assert mine.keys() >= TELLING
    client.headers["Authorization"] = bearer(demo_space, "Bob")
    assert not TELLING & detail(client, queue, held).keys()


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


def test_a_link_leads_to_the_medium_it_was_made_for(client: TestClient, demo_space: Workspace) -> None:
    for pair in (1, 2, 3, 4):
        found = locate(demo_space.database, pair)
        for side, path in (("first", found.first), ("second", found.second)):
            link = sign(SESSION, pair, side)  # type: ignore[arg-type]
            assert client.get(link).content == found.root.resolve(path).read_bytes()


def payload(url: str) -> list[Any]:
    text = url.rsplit("/", 1)[-1].split(".")[0]
    return list(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


def test_the_title_of_a_blind_queue_does_not_tell_what_it_was_made_of(blind_queue: QueueRow, open_page: Open) -> None:
    own = open_page("review", as_person="Ada")
    assert any("rejected" in one.value for one in own.markdown)
    other = open_page("review", as_person="Bob")
    assert not any("rejected" in one.value for one in other.markdown)
    assert any(f"Blind review {blind_queue.id}" in one.value for one in other.markdown)


def test_a_blind_queue_sends_no_figures_of_colleagues_before_the_last_choice(
    client: TestClient, demo_space: Workspace
) -> None:
    new = NewQueue(kind="audit_accepted", title="q", run_ids=(1,), options={"size": 2}, blind=True, rulings_wanted=2)
    queue = Queues(demo_space.database).make(new, created_by="Ada")

    def figures() -> dict[str, Any]:
        return dict(client.get(f"/winnow/review/{queue.id}/stats").json()["audit"])

    rows = get_items(client, queue)
    alone = figures()
    client.headers["Authorization"] = bearer(demo_space, "Bob")
    get_items(client, queue)
    sides = {"ruling": "relabel", "relabel": "tie"}
    post(client, *(ruling(queue, row, f"b{row['position']}", **sides) for row in rows))
    assert figures()["precision"]["share"] == 0.0
    client.headers["Authorization"] = bearer(demo_space, "Ada")
    assert figures() == alone
    post(client, ruling(queue, rows[0], "a0", **sides))
    assert (figures()["rulings"], figures()["reviewers"], figures()["precision"]["share"]) == (1, 1, None)
    post(client, ruling(queue, rows[1], "a1", **sides))
    assert (figures()["rulings"], figures()["reviewers"]) == (4, 2)


def test_a_suspect_label_says_why_unless_one_of_the_answers_waits_blind(
    client: TestClient, demo_space: Workspace
) -> None:
    queues = Queues(demo_space.database)
    made = queues.make(NewQueue(kind="suspect_labels", title="s", options={"agreement": 0.51}), created_by="Ada")
    items = get_items(client, made, "from=0&count=60")
    assert items
    for item in items:
        assert 0.5 < item["why"]["against"] / item["why"]["answers"] <= 1
        assert {run["run"] for run in item["why"]["runs"]} <= {1, 2}
        assert detail(client, made, item["prediction"])["why"] == item["why"]
    # The sum would tell what the one that waits for Ada says.
    rows = demo_space.predictions.iter_rows(2)
    shown = items[0]
    waiting = next(
        row["id"]
        for row in rows
        if row["index"] == shown["index"] and row["id"] != shown["prediction"] and row["answer"]
    )
    queues.make(NewQueue(kind="filter", title="b", blind=True), created_by="Ada", ids=[waiting])
    assert detail(client, made, shown["prediction"])["why"] is None
    # Nor does a blind queue of suspect labels say it before the choice.
    hidden = queues.make(
        NewQueue(kind="suspect_labels", title="h", options={"agreement": 0.51}, blind=True), created_by="Ada"
    )
    for item in get_items(client, hidden):
        assert "why" not in item
        assert "why" not in detail(client, hidden, item["prediction"])


def test_browse_says_which_ruling_was_made_with_the_verdict_open(client: TestClient, demo_space: Workspace) -> None:
    new = NewQueue(kind="unreviewed", title="q", run_ids=(1,), blind=True)
    queue = Queues(demo_space.database).make(new, created_by="Ada")
    item = get_items(client, queue)[0]
    said = {"ruling": "relabel", "relabel": "first"}
    post(client, ruling(queue, item, "t1", **said))

    def decision() -> str:
        hits = Browse(demo_space.database).page(BrowseFilter(reviewer="Ada"))
        return str(cards(demo_space.database, hits, "Ada")[0]["decision"])

    assert decision() == "first is better, says Ada"
    post(client, ruling(queue, item, "t2", ruling="reject"))
    assert decision() == "rejected by Ada, who had seen the verdict"
