"""Rulings and frozen sets on a real database file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from backend.curation.bulk import BulkRulings
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.curation.sets import freeze
from backend.domain.pairs import Order, Preference
from backend.domain.rulings import effective_decision, relabel_dataset_order
from backend.errors import NotFound, ReviewError
from backend.store.database import Database
from backend.store.schema import (
    datasets,
    metadata,
    pairs,
    predictions,
    reviews,
    runs,
    set_items,
    verdicts,
)
from backend.store.sets import Sets


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Predictions 1-4 of run 1; the human prefers ``first`` in dataset order.

    1: dataset, says first (accepted). 2: swapped, says first (rejected). 3: dataset, says second
    (rejected). 4: dataset, unreadable (rejected).
    """
    database = Database(tmp_path / "w.db")
    metadata.create_all(database.engine)
    said = [("dataset", "first"), ("swapped", "first"), ("dataset", "second"), ("dataset", None)]
    with database.write() as connection:
        connection.execute(
            insert(datasets).values(
                id=1,
                name="d",
                source="pairs",
                spec="",
                data_root="/data",
                status="ready",
                created_at=0.0,
                counts={},
            )
        )
        connection.execute(
            insert(runs).values(
                id=1,
                dataset_id=1,
                model="m",
                engine="scripted",
                spec={},
                policy={},
                total=4,
                progress={},
                created_at=0.0,
            )
        )
        for number, (order, answer) in enumerate(said, start=1):
            preferred = "second" if order == "swapped" else "first"
            decision = "accepted" if answer == preferred else "rejected"
            connection.execute(
                insert(pairs).values(
                    id=number,
                    dataset_id=1,
                    idx=number - 1,
                    key=f"k{number}",
                    kind="image",
                    prompt="p",
                    first_path="good.png",
                    second_path="bad.png",
                    preference="first",
                    media_ok=True,
                    extra={},
                )
            )
            where = {"run_id": 1, "pair_id": number, "shown_order": order, "sample": 0}
            connection.execute(
                insert(predictions).values(id=number, text="t", created_at=0.0, **where)
            )
            connection.execute(
                insert(verdicts).values(
                    prediction_id=number,
                    preferred=preferred,
                    answer=answer,
                    flaws=0,
                    scores={},
                    decision=decision,
                    reason="r",
                    effective=decision,
                    **where,
                )
            )
    yield database
    database.close()


def state(db: Database, prediction_id: int) -> tuple[str | None, str]:
    with db.read() as connection:
        row = connection.execute(
            select(verdicts.c.ruling, verdicts.c.effective).where(
                verdicts.c.prediction_id == prediction_id
            )
        ).one()
    return row.ruling, row.effective


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


def test_exported_rulings_import_once_and_give_the_same_state(db: Database) -> None:
    rulings = Rulings(db)
    rulings.add(2, "relabel", relabel="first", reviewer="ann", note="hm", tags=("x",))
    rulings.add(3, "accept", reviewer="ann")
    rulings.add(3, "undo", reviewer="ann")
    rulings.add(3, "accept", reviewer="ann")
    lines = [json.dumps(row) for row in RulingRows(db).iter_export(1)]
    before = [state(db, number) for number in range(1, 5)]
    with db.write() as connection:
        connection.execute(reviews.update().values(undoes=None))
        connection.execute(reviews.delete())
        connection.execute(verdicts.update().values(ruling=None, effective=verdicts.c.decision))
    assert RulingRows(db).import_rows(1, lines) == 4
    assert RulingRows(db).import_rows(1, lines) == 0
    assert [state(db, number) for number in range(1, 5)] == before
    assert rulings.history(2)[0].tags == ("x",)


def test_rows_without_a_token_are_imported_once_even_when_they_repeat(db: Database) -> None:
    rows = [
        {"index": 2, "ruling": ruling, "reviewer": "ann"} for ruling in ("accept", "undo", "accept")
    ]
    assert RulingRows(db).import_rows(1, rows) == 3
    assert state(db, 3) == ("accept", "accepted")
    assert RulingRows(db).import_rows(1, rows) == 0


@pytest.mark.parametrize(
    "bad",
    [
        "{oops",
        "[1]",
        '{"ruling": "accept", "reviewer": "a"}',
        '{"index": 0, "order": "swapped", "ruling": "accept", "reviewer": "a"}',
        '{"index": 0, "ruling": "relabel", "reviewer": "a"}',
        '{"index": "0", "ruling": "accept", "reviewer": "a"}',
    ],
)
def test_a_broken_row_names_its_line_and_nothing_is_stored(db: Database, bad: str) -> None:
    good = '{"index": 0, "ruling": "reject", "reviewer": "a"}'
    with pytest.raises(ReviewError, match="line 2:"):
        RulingRows(db).import_rows(1, [good, bad])
    assert Rulings(db).history(1) == []


def test_a_label_of_dataset_order_is_turned_into_the_shown_order() -> None:
    assert relabel_dataset_order(Preference.FIRST, Order.SWAPPED) is Preference.SECOND
    assert relabel_dataset_order(Preference.FIRST, Order.DATASET) is Preference.FIRST
    assert relabel_dataset_order(Preference.TIE, Order.SWAPPED) is Preference.TIE


def test_without_a_settling_ruling_the_filter_decides() -> None:
    for ruling in (None, "flag"):
        assert effective_decision("accepted", "first", ruling, None) == "accepted"
        assert effective_decision("rejected", "first", ruling, None) == "rejected"


def test_a_forced_accept_and_an_agreeing_relabel_freeze_the_answer_of_the_judge(
    db: Database,
) -> None:
    rulings = Rulings(db)
    rulings.add(2, "relabel", relabel="first", reviewer="ann")
    rulings.add(3, "accept", reviewer="ann")
    frozen = freeze(db, "s", [1])
    items = list(Sets(db).iter_items(frozen.id))
    assert [(item.prediction_id, item.answer) for item in items] == [
        (1, "first"),
        (2, "first"),
        (3, "second"),
    ]
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
