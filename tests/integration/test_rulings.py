"""Rulings, one and many, and taking them back, on a real database file."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.curation.bulk import BulkRulings
from backend.curation.rulings import Rulings
from backend.domain.rulings import effective_decision
from backend.errors import NotFound, ReviewError
from backend.store.database import Database
from backend.store.schema import reviews, verdicts
from tests.integration.judged import state


@pytest.mark.parametrize(
    ("prediction", "ruling", "relabel", "expected"),
    [
        (2, "accept", None, "accepted"),
        (1, "reject", None, "rejected"),
        (2, "relabel", "first", "accepted"),
        (2, "relabel", "second", "rejected"),
        (1, "relabel", "tie", "rejected"),
        (4, "relabel", "first", "rejected"),
        (1, "flag", None, "accepted"),
        (2, "flag", None, "rejected"),
    ],
)
def test_a_ruling_sets_the_effective_decision_and_undo_takes_it_back(
    db: Database, prediction: int, ruling: str, relabel: str | None, expected: str
) -> None:
    rulings = Rulings(db)
    before = state(db, prediction)
    made = rulings.add(prediction, ruling, relabel=relabel, reviewer="ann")
    assert state(db, prediction) == (ruling, expected)
    assert made.replaced == {"effective": before[1], "ruling": None, "review_id": None}
    undo = rulings.add(prediction, "undo", reviewer="ann")
    assert undo.undoes == made.id
    assert state(db, prediction) == before
    assert [row.ruling for row in rulings.history(prediction)] == [ruling, "undo"]


def test_undo_goes_back_one_ruling_at_a_time(db: Database) -> None:
    rulings = Rulings(db)
    for ruling in ("accept", "reject"):
        rulings.add(2, ruling, reviewer="ann")
    rulings.add(2, "undo", reviewer="bob")
    assert state(db, 2) == ("accept", "accepted")
    rulings.add(2, "undo", reviewer="bob")
    assert state(db, 2) == (None, "rejected")
    with pytest.raises(ReviewError, match="no ruling to undo"):
        rulings.add(2, "undo", reviewer="bob")


def test_a_flag_does_not_undo_what_a_person_decided(db: Database) -> None:
    rulings = Rulings(db)
    rulings.add(2, "accept", reviewer="ann")
    rulings.add(2, "flag", reviewer="bob")
    assert state(db, 2) == ("accept", "accepted")


def test_a_token_sent_again_stores_once_and_is_refused_elsewhere(db: Database) -> None:
    rulings = Rulings(db)
    first = rulings.add(1, "reject", reviewer="ann", token="t1")
    assert rulings.add(1, "reject", reviewer="ann", token="t1").id == first.id
    assert len(rulings.history(1)) == 1
    with pytest.raises(ReviewError, match="belongs to"):
        rulings.add(2, "reject", reviewer="ann", token="t1")


@pytest.mark.parametrize(
    ("ruling", "relabel", "reviewer"),
    [
        ("relabel", None, "ann"),
        ("accept", "first", "ann"),
        ("relabel", "left", "ann"),
        ("maybe", None, "ann"),
        ("accept", None, " "),
    ],
)
def test_a_ruling_that_makes_no_sense_is_not_stored(
    db: Database, ruling: str, relabel: str | None, reviewer: str
) -> None:
    with pytest.raises(ReviewError):
        Rulings(db).add(1, ruling, relabel=relabel, reviewer=reviewer)
    assert Rulings(db).history(1) == []


def test_an_unknown_prediction_is_named(db: Database) -> None:
    with pytest.raises(NotFound, match="99"):
        Rulings(db).add(99, "accept", reviewer="ann")


def test_many_rulings_can_be_sent_again(db: Database) -> None:
    rulings = Rulings(db)
    for _ in range(2):
        assert BulkRulings(db).add(iter([2, 3]), "accept", reviewer="ann", token="bulk") == 2
    assert [len(rulings.history(number)) for number in (1, 2, 3)] == [0, 1, 1]
    assert state(db, 3) == ("accept", "accepted")


@pytest.mark.parametrize("decision", ["accepted", "rejected"])
@pytest.mark.parametrize("answer", ["first", "second", "tie", None])
@pytest.mark.parametrize("relabel", ["first", "second", "tie"])
def test_a_relabel_keeps_what_names_its_side_and_never_a_tie(decision: str, answer: str | None, relabel: str) -> None:
    kept = answer == relabel and relabel != "tie"
    found = effective_decision(decision, answer, "relabel", relabel)
    assert found == ("accepted" if kept else "rejected")


def test_without_a_settling_ruling_the_filter_decides() -> None:
    for ruling in (None, "flag"):
        assert effective_decision("accepted", "first", ruling, None) == "accepted"
        assert effective_decision("rejected", "first", ruling, None) == "rejected"


def test_every_ruling_is_stored_with_a_token_of_its_own(db: Database) -> None:
    rulings = Rulings(db)
    rulings.add(1, "reject", reviewer="ann")
    rulings.add(1, "undo", reviewer="ann")
    BulkRulings(db).add([1, 2, 3], "flag", reviewer="ann")
    BulkRulings(db).add([2], "undo", reviewer="ann")
    BulkRulings(db).add([3], "reject", reviewer="ann", token="act")
    BulkRulings(db).undo("act", reviewer="ann")
    with db.read() as connection:
        tokens = connection.execute(select(reviews.c.token)).scalars().all()
    assert len(tokens) == 8 and None not in tokens
    assert len(set(tokens)) == len(tokens)


@pytest.mark.parametrize("answer", [None, "tie"])
def test_what_names_no_better_side_cannot_be_accepted_but_relabelled(db: Database, answer: str | None) -> None:
    with db.write() as connection:
        connection.execute(verdicts.update().where(verdicts.c.prediction_id == 4).values(answer=answer))
    with pytest.raises(ReviewError, match="cannot be accepted") as caught:
        Rulings(db).add(4, "accept", reviewer="ann")
    assert caught.value.hint and "relabel" in caught.value.hint
    assert Rulings(db).history(4) == []
    Rulings(db).add(4, "relabel", relabel="first", reviewer="ann")
    assert state(db, 4) == ("relabel", "rejected")


def test_accepting_many_skips_and_counts_out_what_names_no_better_side(db: Database) -> None:
    ruled = BulkRulings(db).add([2, 3, 4], "accept", reviewer="ann", token="bulk")
    assert ruled == 2
    assert Rulings(db).history(4) == []
    assert state(db, 3) == ("accept", "accepted")
    assert BulkRulings(db).undo("bulk", reviewer="ann") == (2, 0)
