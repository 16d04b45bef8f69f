"""A note stands beside its author's own ruling and decides nothing."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from backend.curation.bulk import BulkRulings
from backend.curation.queues import NewQueue, Queues
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.store.audits import Audits
from backend.store.database import Database
from backend.store.queues import QueueRow
from backend.store.schema import reviews, verdicts
from tests.unit.curation.test_queues import ids_of, make, sent

Judge = Callable[..., int]


def in_force(db: Database, number: int) -> tuple[str | None, str | None, str]:
    columns = (verdicts.c.ruling, verdicts.c.reviewer, verdicts.c.effective)
    with db.read() as connection:
        row = connection.execute(select(*columns).where(verdicts.c.prediction_id == number)).one()
    return tuple(row)  # type: ignore[return-value]


def test_a_note_on_ones_own_ruling_leaves_a_colleagues_later_one_in_force(db: Database, judge: Judge) -> None:
    number = judge(1)
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="unreviewed", title="two", rulings_wanted=2), created_by="ann")
    queues.rule("ann", [sent(queue, 0, number, "a1")])
    queues.rule("bob", [sent(queue, 0, number, "b1", ruling="reject")])
    note = sent(queue, 0, number, "a2", ruling="note", note="look at the hands", tags=("hands",))
    assert queues.rule("ann", [note]) == (["a2"], [])
    assert in_force(db, number) == ("reject", "bob", "rejected")
    rows = Rulings(db).history(number)
    assert [(row.reviewer, row.ruling, row.note) for row in rows] == [
        ("ann", "accept", ""),
        ("bob", "reject", ""),
        ("ann", "note", "look at the hands"),
    ]
    [own] = Audits(db).rulings(queue, reviewer="ann")
    assert (own.ruling, own.token, own.note) == ("accept", "a1", "look at the hands")
    assert own.tags == ("hands",)
    # Taken back, the ruling has its own note again; and taking back the ruling leaves bob's.
    queues.rule("ann", [sent(queue, 0, number, "a3", ruling="undo", undoes="a2")])
    assert [row.note for row in Audits(db).rulings(queue, reviewer="ann")] == [""]
    assert queues.progress(queue, "ann")[:2] == (1, 1)
    queues.rule("ann", [sent(queue, 0, number, "a4", ruling="undo", undoes="a1")])
    assert in_force(db, number) == ("reject", "bob", "rejected")


def test_a_note_neither_settles_a_colleagues_flag_nor_raises_ones_own_again(db: Database, judge: Judge) -> None:
    rulings = Rulings(db)
    flagged, settled = judge(1), judge(2)
    rulings.add(flagged, "accept", reviewer="ann")
    rulings.add(flagged, "flag", reviewer="bob")
    rulings.add(flagged, "note", note="n", reviewer="ann")
    rulings.add(settled, "flag", reviewer="ann")
    rulings.add(settled, "accept", reviewer="bob")
    rulings.add(settled, "note", note="n", reviewer="ann")
    assert make(db, "flagged") == [flagged]


def test_a_note_needs_a_ruling_of_ones_own_to_stand_beside(forty: tuple[Queues, QueueRow], db: Database) -> None:
    queues, queue = forty
    number = ids_of(db, queue)[0]
    queues.rule("bob", [sent(queue, 0, number, "b1")])
    note = sent(queue, 0, number, "a1", ruling="note", note="n")
    stored, [(token, error)] = queues.rule("ann", [note])
    assert (stored, token) == ([], "a1")
    assert "no ruling of ann" in error.message
    assert len(Rulings(db).history(number)) == 1
    # Nor does a note that outlives its ruling make the pair a ruled one.
    queues.rule("ann", [sent(queue, 0, number, "a2"), sent(queue, 0, number, "a3", ruling="note")])
    queues.rule("ann", [sent(queue, 0, number, "a4", ruling="undo", undoes="a2")])
    assert queues.progress(queue, "ann")[1] == 0


def test_an_act_is_undone_also_where_somebody_has_noted_something_since(db: Database, judge: Judge) -> None:
    number = judge(1)
    bulk = BulkRulings(db)
    bulk.add([number], "reject", reviewer="ann", token="act")
    Rulings(db).add(number, "note", note="n", reviewer="ann")
    assert bulk.undo("act", reviewer="ann") == (1, 0)
    assert in_force(db, number) == (None, None, "accepted")


def test_notes_are_exported_and_imported_with_what_they_stand_beside(db: Database, judge: Judge) -> None:
    number = judge(1)
    rulings = Rulings(db)
    rulings.add(number, "reject", reviewer="ann")
    rulings.add(number, "accept", reviewer="bob")
    rulings.add(number, "note", note="n", tags=["t"], reviewer="ann")
    rows = list(RulingRows(db).iter_export(1))
    with db.write() as connection:
        connection.execute(reviews.delete())
    assert RulingRows(db).import_rows(1, rows) == 3
    assert [row.ruling for row in rulings.history(number)] == ["reject", "accept", "note"]
    assert in_force(db, number) == ("accept", "bob", "accepted")
