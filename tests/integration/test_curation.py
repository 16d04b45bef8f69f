"""Rulings and frozen sets on a real database file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from backend.curation.bulk import BulkRulings
from backend.curation.preview import preview, untrainable_line
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


@pytest.mark.parametrize("answer", [None, "tie"])
def test_what_names_no_better_side_cannot_be_accepted_but_relabelled(
    db: Database, answer: str | None
) -> None:
    with db.write() as connection:
        connection.execute(
            verdicts.update().where(verdicts.c.prediction_id == 4).values(answer=answer)
        )
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


def accept_without_side(db: Database, *answers: tuple[int, str | None]) -> None:
    """As a policy that accepts ties does, or as an older Winnow let people rule."""
    with db.write() as connection:
        for number, answer in answers:
            connection.execute(
                verdicts.update()
                .where(verdicts.c.prediction_id == number)
                .values(answer=answer, decision="accepted", effective="accepted")
            )


def test_accepted_predictions_that_no_set_can_take_are_counted_with_the_reason(
    db: Database,
) -> None:
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


@pytest.mark.parametrize("note", ["\\ud800", "[" * 100_000])
def test_a_row_that_cannot_be_stored_or_read_is_named_by_its_line(db: Database, note: str) -> None:
    row = f'{{"index": 0, "ruling": "reject", "reviewer": "a", "note": "{note}"}}'
    if note.startswith("["):
        row = note
    with pytest.raises(ReviewError, match="line 1:"):
        RulingRows(db).import_rows(1, [row])
