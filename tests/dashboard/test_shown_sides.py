"""Wherever a prediction is drawn, its first picture is the medium that the judge saw first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from backend.curation.queues import NewQueue, Queues
from backend.domain.pairs import Order
from backend.inference.compare import compare
from backend.store.browse import Browse, BrowseFilter
from backend.store.comparisons import Comparisons
from backend.store.gallery import Gallery
from backend.store.items import Items
from backend.store.locating import locate
from backend.store.schema import pairs, predictions, verdicts
from backend.store.sets import Sets
from backend.workspace import Workspace
from dashboard.api.review_items import blind_json, item_json
from dashboard.browse.cards import cards
from dashboard.compare import flipped
from dashboard.curate import rows
from dashboard.datasets.pairs import pair_card
from dashboard.media import opened
from tests.dashboard.review_calls import SESSION

RUN = 2  # judges each pair in both orders, two samples each
Shown = dict[int, tuple[str, str]]
"""The files of a prediction, in the order in which the judge saw them."""


@pytest.fixture
def shown(demo_space: Workspace) -> Shown:
    """Made from the rows alone. Every other pair is listed the loser first, as if by its file."""
    with demo_space.database.write() as connection:
        for pair in connection.execute(select(pairs).where(pairs.c.idx % 2 == 1)).all():
            turned = {"first_path": pair.second_path, "second_path": pair.first_path}
            connection.execute(update(pairs).where(pairs.c.id == pair.id).values(**turned, preference="second"))
        query = select(predictions.c.id, predictions.c.shown_order, pairs.c.first_path, pairs.c.second_path).join(
            pairs, pairs.c.id == predictions.c.pair_id
        )
        found = connection.execute(query).all()
    assert {order for _, order, _, _ in found} == {"dataset", "swapped"}
    return {
        number: (first, second) if order == "dataset" else (second, first) for number, order, first, second in found
    }


def file_of(space: Workspace, session: str, url: str) -> str:
    """The file that a link leads to."""
    pair_id, side, _ = opened(session, url.rsplit("/", 1)[1])
    found = locate(space.database, pair_id)
    return {"first": found.first, "second": found.second}[side]


def files_of(space: Workspace, links: list[str], session: str = "") -> tuple[str, ...]:
    return tuple(file_of(space, session, link) for link in links)


def browse_cards(space: Workspace) -> dict[int, list[str]]:
    hits = Browse(space.database).page(BrowseFilter(run=(RUN,)), limit=200)
    return {card["id"]: card["thumbs"] for card in cards(space.database, hits, "Ada")}


def blind_browse_cards(space: Workspace) -> dict[int, list[str]]:
    new = NewQueue(kind="unreviewed", title="q", run_ids=(RUN,), blind=True)
    Queues(space.database).make(new, created_by="Bob")
    assert cards(space.database, Browse(space.database).page(BrowseFilter(run=(RUN,))), "Ada")[0]["state"] == "waiting"
    return browse_cards(space)


def set_cards(space: Workspace) -> dict[int, list[str]]:
    frozen = space.freeze("s", [RUN])
    made = [rows._card(item) for item in Sets(space.database).shown(frozen.id, limit=200)]
    return {card["id"]: card["thumbs"] for card in made}


def review_items(space: Workspace) -> dict[int, list[str]]:
    return _items(space, lambda item: item_json(item, "", hide_others=False))


def blind_items(space: Workspace) -> dict[int, list[str]]:
    return _items(space, lambda item: blind_json(item, ""))


def _items(space: Workspace, draw: Callable[[Any], dict[str, Any]]) -> dict[int, list[str]]:
    ids = [row["id"] for row in space.predictions.iter_rows(RUN)]
    found = map(draw, Items(space.database).get(ids).values())
    return {item["prediction"]: [item["first"], item["second"]] for item in found}


@pytest.mark.parametrize("drawn", [browse_cards, blind_browse_cards, set_cards, review_items, blind_items])
def test_a_predictions_pictures_stand_in_the_order_the_judge_saw(
    demo_space: Workspace, shown: Shown, drawn: Callable[[Workspace], dict[int, list[str]]]
) -> None:
    found = drawn(demo_space)
    with demo_space.database.read() as connection:
        orders = dict(
            connection.execute(select(verdicts.c.prediction_id, verdicts.c.shown_order)).all()  # type: ignore[arg-type]
        )
    assert {orders[number] for number in found} == set(Order)
    for number, links in found.items():
        assert files_of(demo_space, links) == shown[number], number


def test_a_link_brings_the_very_file_of_its_side(client: TestClient, demo_space: Workspace) -> None:
    root = Path(demo_space.datasets.get("pictures").data_root)
    drawn = _items(demo_space, lambda item: item_json(item, SESSION, hide_others=False))
    seen = set()
    for links in list(drawn.values())[:8]:
        for link in links:
            path = root / file_of(demo_space, SESSION, link)
            assert client.get(link).content == path.read_bytes()
            seen.add(path)
    assert len(seen) >= 4


def test_pairs_without_a_judge_stand_in_dataset_order(demo_space: Workspace, shown: Shown) -> None:
    assert shown
    dataset = demo_space.datasets.get("pictures")
    listed = {
        pair.pair_id: pair_card(pair) for pair in Gallery(demo_space.database, dataset.id).pairs("all", limit=100)
    }
    a, b = demo_space.runs.get(1), demo_space.runs.get(RUN)
    outcome = max(compare(demo_space.database, a, b).outcomes.items(), key=lambda counted: counted[1])[0]
    differ = Comparisons(demo_space.database).pairs_said(a.id, b.id, outcome, limit=100)
    drawn = list(listed.items())
    drawn += [(row.pair_id, flipped._card(row)) for row in differ]
    assert len(drawn) > len(listed) > 20
    assert {card["preferred"] for _, card in drawn} == {"first", "second"}
    for pair_id, card in drawn:
        place = locate(demo_space.database, pair_id)
        for links in (card["thumbs"], card["media"]):
            assert files_of(demo_space, links) == (place.first, place.second)
        better = card["thumbs"][["first", "second"].index(card["preferred"])]
        assert "-win" in file_of(demo_space, "", better)
