"""What is frozen of judged and ruled pairs, on a real database file."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.curation.preview import preview, untrainable_line
from backend.curation.rulings import Rulings
from backend.curation.sets import freeze
from backend.errors import ReviewError
from backend.store.database import Database
from backend.store.schema import set_items, verdicts
from backend.store.sets import Sets


def test_a_forced_accept_and_an_agreeing_relabel_freeze_the_answer_of_the_judge(db: Database) -> None:
    rulings = Rulings(db)
    rulings.add(2, "relabel", relabel="first", reviewer="ann")
    rulings.add(3, "accept", reviewer="ann")
    frozen = freeze(db, "s", [1])
    items = list(Sets(db).iter_items(frozen.id))
    assert [(item.prediction_id, item.answer) for item in items] == [(1, "first"), (2, "first"), (3, "second")]
    assert freeze(db, "s", [1]).version == frozen.version


def test_a_frozen_item_names_the_review_that_is_in_force(db: Database) -> None:
    rulings = Rulings(db)
    kept = rulings.add(2, "accept", reviewer="ann")
    rulings.add(2, "relabel", relabel="first", reviewer="ann")
    rulings.add(2, "undo", reviewer="ann")
    freeze(db, "s", [1])
    with db.read() as connection:
        query = select(set_items.c.review_id).where(set_items.c.prediction_id == 2)
        assert connection.execute(query).scalar_one() == kept.id


def accept_without_side(db: Database, *answers: tuple[int, str | None]) -> None:
    """As a policy that accepts ties does, or as an older Winnow let people rule."""
    with db.write() as connection:
        for number, answer in answers:
            connection.execute(
                verdicts.update()
                .where(verdicts.c.prediction_id == number)
                .values(answer=answer, decision="accepted", effective="accepted")
            )


def test_accepted_predictions_that_no_set_can_take_are_counted_with_the_reason(db: Database) -> None:
    accept_without_side(db, (3, "tie"), (4, None))
    seen = preview(db, [1])
    assert (seen.items, sum(seen.untrainable.values())) == (1, 2)
    line = untrainable_line(seen.untrainable)
    assert line and line.startswith("2 accepted cannot be trained on")
    assert "no better side" in line and "readable" in line
    assert freeze(db, "s", [1]).counts["items"] == 1
    accept_without_side(db, (1, None))
    with pytest.raises(ReviewError, match="3 accepted cannot be trained on"):
        freeze(db, "t", [1])
