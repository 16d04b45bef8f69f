"""Rulings exported and imported, on a real database file."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from backend.curation import ruling_rows
from backend.curation.bulk import BulkRulings
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.errors import ReviewError
from backend.store.database import Database
from backend.store.schema import predictions, reviews, runs, verdicts
from backend.store.upgrade import upgrade
from tests.integration.judged import judge_four, state


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
    rows = [{"index": 2, "ruling": ruling, "reviewer": "ann"} for ruling in ("accept", "undo", "accept")]
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
        '{"index": 0, "order": ["dataset"], "ruling": "accept", "reviewer": "a"}',
        '{"index": 0, "order": {}, "ruling": "accept", "reviewer": "a"}',
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
def test_importing_what_was_exported_from_the_same_run_changes_nothing(db: Database, older: bool) -> None:
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
                id=2,
                dataset_id=1,
                model="m",
                engine="scripted",
                spec={},
                policy={},
                total=1,
                progress={},
                created_at=0.0,
            )
        )
        connection.execute(insert(predictions).values(id=9, run_id=2, text="t", created_at=0.0, **where))
        connection.execute(
            insert(verdicts).values(
                prediction_id=9,
                run_id=2,
                preferred="first",
                answer="first",
                flaws=0,
                scores={},
                decision="accepted",
                reason="r",
                effective="accepted",
                **where,
            )
        )
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


def random_rows(seed: int) -> list[dict[str, Any]]:
    """Rulings of three people on four predictions: repeated, undone, with notes, blind or not."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(40):
        rows.append(
            {
                "index": rng.randrange(4),
                "order": "dataset",
                "ruling": rng.choice(["accept", "reject", "relabel", "flag", "note", "undo"]),
                "reviewer": rng.choice(["ann", "bob", "cem"]),
                "note": rng.choice(["", "hm"]),
                "token": f"t{rng.randrange(number + 1) if rng.random() < 0.1 else number}",
                "undoes": rng.choice([None, f"t{rng.randrange(number + 1)}"]),
                "unblinded": rng.choice([None, None, False, True]),
            }
        )
        rows[-1]["order"] = "swapped" if rows[-1]["index"] == 1 else "dataset"
        rows[-1]["relabel"] = "first" if rows[-1]["ruling"] == "relabel" else None
    return rows


def one_by_one(db: Database, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Record rows each for itself; those that were not refused."""
    kept = []
    for row in rows:
        names = ("relabel", "note", "reviewer", "token", "undoes", "unblinded")
        values = {name: row[name] for name in names}
        with db.write() as connection, suppress(ReviewError):
            Rulings(db).add_within(connection, row["index"] + 1, row["ruling"], **values)
            kept.append(row)
    return kept


def everything(db: Database) -> list[Any]:
    """All that rulings leave behind but their times; ids as they were given."""
    with db.read() as connection:
        said = connection.execute(select(reviews).order_by(reviews.c.id)).all()
        now = connection.execute(
            select(verdicts.c.ruling, verdicts.c.reviewer, verdicts.c.effective).order_by(verdicts.c.prediction_id)
        ).all()
    return [[{**row._mapping, "created_at": 0} for row in said], now]


@pytest.mark.parametrize("seed", range(6))
def test_rulings_that_come_together_leave_what_they_leave_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(ruling_rows, "CHUNK", 7)
    monkeypatch.setattr(ruling_rows, "PAUSE_S", 0.0)
    one, other = Database(tmp_path / "one.db"), Database(tmp_path / "other.db")
    for db in (one, other):
        upgrade(db)
        judge_four(db)
    rows = random_rows(seed)
    kept = one_by_one(one, rows)
    assert 10 < len(kept) < len(rows)
    RulingRows(other).import_rows(1, kept)
    assert everything(other) == everything(one)
    # Half of it was there before.
    assert RulingRows(one).import_rows(1, kept) == 0
    with pytest.raises(ReviewError, match=f"line {len(kept) + 1}:"):
        RulingRows(other).import_rows(1, [*kept, {**kept[0], "index": 3, "token": "t0", "order": "x"}])
    assert everything(other) == everything(one)
    one.close()
    other.close()


def rejections(count: int) -> list[dict[str, Any]]:
    return [
        {
            "index": number % 4,
            "order": "swapped" if number % 4 == 1 else "dataset",
            "ruling": "reject",
            "reviewer": "ann",
            "note": f"n{number}",
        }
        for number in range(count)
    ]


def test_others_rule_between_the_parts_of_an_import(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruling_rows, "CHUNK", 4)
    others = Database(db.url.render_as_string(hide_password=False))
    said: list[int] = []
    monkeypatch.setattr(
        ruling_rows.time, "sleep", lambda _: said.append(Rulings(others).add(1, "reject", reviewer="bob").id)
    )
    assert RulingRows(db).import_rows(1, rejections(12)) == 12
    assert len(said) == 2
    with db.read() as connection:
        ids = connection.execute(select(reviews.c.id, reviews.c.reviewer).order_by("id")).all()
    assert [who for _, who in ids] == [*["ann"] * 4, "bob", *["ann"] * 4, "bob", *["ann"] * 4]
    others.close()


def test_an_import_that_was_killed_in_the_middle_goes_on_and_stores_each_ruling_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ruling_rows, "CHUNK", 4)

    def killed(_seconds: float) -> None:
        raise KeyboardInterrupt

    rows = rejections(12)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ruling_rows.time, "sleep", killed)
        RulingRows(db).import_rows(1, rows)
    assert RulingRows(db).import_rows(1, rows) == 8
    assert RulingRows(db).import_rows(1, rows) == 0
    notes = [row["note"] for row in RulingRows(db).iter_export(1)]
    assert notes == [f"n{number}" for number in range(12)]


def test_a_broken_last_line_of_many_stores_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruling_rows, "CHUNK", 4)
    bad = {"index": 0, "ruling": "undo", "reviewer": "ann", "undoes": "nobody's"}
    with pytest.raises(ReviewError, match="line 13:"):
        RulingRows(db).import_rows(1, [*rejections(12), bad])
    assert list(RulingRows(db).iter_export(1)) == []
