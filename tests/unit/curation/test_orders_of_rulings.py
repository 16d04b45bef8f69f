"""A ruling, and what it is about, stay with the order that was shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.curation.rulings import Rulings
from backend.domain.pairs import Order
from backend.errors import NotFound
from backend.inference.pipeline import completion_seed
from backend.store.database import Database
from backend.store.predictions import Predictions


def test_a_ruling_is_stored_with_the_order_that_its_side_speaks_of(db: Database, judge: Callable[..., int]) -> None:
    for order in Order:
        number = judge(1, order=order.value)
        ruled = Rulings(db).add(number, "relabel", relabel="second", reviewer="ada")
        assert (ruled.shown_order, ruled.relabel) == (order, "second")
        assert Rulings(db).add(number, "undo", reviewer="ada").shown_order == order


def test_a_pair_judged_in_both_orders_is_found_by_its_order_and_not_guessed(
    db: Database, judge: Callable[..., int]
) -> None:
    numbers = {order: judge(1, order=order.value) for order in Order}
    for order, number in numbers.items():
        assert Predictions(db).find(1, index=1, order=order.value) == number
    with pytest.raises(NotFound, match="both orders"):
        Predictions(db).find(1, index=1)


def test_each_order_and_sample_is_drawn_by_a_seed_of_its_own() -> None:
    seeds = [completion_seed(0, "k", order, sample) for order in Order for sample in range(3)]
    assert len(set(seeds)) == 6
