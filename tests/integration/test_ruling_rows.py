"""Rulings exported and imported, on a real database file."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert

from backend.curation.bulk import BulkRulings
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.errors import ReviewError
from backend.store.database import Database
from backend.store.schema import (
    predictions,
    reviews,
    runs,
    verdicts,
)
from tests.integration.judged import state


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


def without_tokens(db: Database) -> None:
    """As an older Winnow stored rulings that came from the command line."""
    with db.write() as connection:
        connection.execute(reviews.update().values(token=None))


@pytest.mark.parametrize("older", [False, True])
def test_importing_what_was_exported_from_the_same_run_changes_nothing(
    db: Database, older: bool
) -> None:
    rulings = Rulings(db)
    rulings.add(1, "reject", reviewer="ann")
    rulings.add(1, "undo", reviewer="bob")
    rulings.add(2, "relabel", relabel="first", reviewer="ann", note="hm", tags=("x",))
    BulkRulings(db).add([1, 3], "flag", reviewer="ann")
    if older:
        without_tokens(db)
    before = [[(r.id, r.ruling, r.undoes) for r in rulings.history(n)] for n in range(1, 5)]
    states = [state(db, number) for number in range(1, 5)]
    lines = [json.dumps(row) for row in RulingRows(db).iter_export(1)]
    assert RulingRows(db).import_rows(1, lines) == 0
    after = [[(r.id, r.ruling, r.undoes) for r in rulings.history(n)] for n in range(1, 5)]
    assert after == before
    assert [state(db, number) for number in range(1, 5)] == states
    assert [json.dumps(row) for row in RulingRows(db).iter_export(1)] == lines


def test_rulings_can_be_carried_over_to_another_run_of_the_same_texts(db: Database) -> None:
    where = {"pair_id": 1, "shown_order": "dataset", "sample": 0}
    with db.write() as connection:
        connection.execute(
            insert(runs).values(
                id=2, dataset_id=1, model="m", engine="scripted", spec={}, policy={}, total=1,
                progress={}, created_at=0.0,
            )
        )  # fmt: skip
        connection.execute(
            insert(predictions).values(id=9, run_id=2, text="t", created_at=0.0, **where)
        )
        connection.execute(
            insert(verdicts).values(
                prediction_id=9, run_id=2, preferred="first", answer="first", flaws=0, scores={},
                decision="accepted", reason="r", effective="accepted", **where,
            )
        )  # fmt: skip
    rulings = Rulings(db)
    rulings.add(1, "reject", reviewer="ann")
    rulings.add(1, "undo", reviewer="ann")
    rulings.add(1, "flag", reviewer="ann")
    rows = list(RulingRows(db).iter_export(1))
    assert RulingRows(db).import_rows(2, rows) == 3
    assert RulingRows(db).import_rows(2, rows) == 0
    assert state(db, 9) == state(db, 1) == ("flag", "accepted")


@pytest.mark.parametrize("note", ["\\ud800", "[" * 100_000])
def test_a_row_that_cannot_be_stored_or_read_is_named_by_its_line(db: Database, note: str) -> None:
    row = f'{{"index": 0, "ruling": "reject", "reviewer": "a", "note": "{note}"}}'
    if note.startswith("["):
        row = note
    with pytest.raises(ReviewError, match="line 1:"):
        RulingRows(db).import_rows(1, [row])
