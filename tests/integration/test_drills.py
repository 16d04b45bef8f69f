"""The drills in their short form; ``make drills`` runs each for minutes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from backend.export.exporter import export_set
from backend.store.sets import Sets
from tests.drills import books
from tests.drills.__main__ import DRILLS, run
from tests.drills.outcome import Outcome, show
from tests.drills.stage import ROOT, Stage

SEED = 1


@pytest.mark.parametrize(("drill", "seconds"), [("kill", 3.0), ("load", 1.0), ("fuzz", 2.0), ("security", 1.5)])
def test_a_short_drill_finds_no_broken_promise(drill: str, seconds: float, tmp_path: Path) -> None:
    outcome = run(drill, SEED, seconds, tmp_path / drill)
    show([outcome])
    assert outcome.problems == []
    assert outcome.checked.total() > 0


def test_the_books_notice_each_promise_that_is_broken(tmp_path: Path) -> None:
    """A drill that could not fail would prove nothing."""
    stage, ledger = Stage(tmp_path, 8), books.Ledger()
    space, out = stage.space, tmp_path / "out"
    try:
        base = Sets(space.database).named("base")
        export_set(space.database, base, format="jsonl", out=out)
        space.rulings.add(1, "reject", note="n", reviewer="Ada", token="Ada-1")
        ledger.acknowledged["Ada-1"] = {"prediction_id": 1, "ruling": "reject", "note": "n", "reviewer": "Ada"}
        ledger.exports.add(out)
        ledger.see_predictions(1, books.ids_of(stage, 1))
        whole = Outcome("books", 0, 0)
        books.check(stage, whole, ledger, supervisors=True)
        assert whole.problems == []
        # Not through our own engine, which holds foreign keys.
        with closing(sqlite3.connect(stage.workspace / "winnow.db", timeout=30)) as connection:
            for statement in (
                "UPDATE verdicts SET effective = 'accepted', ruling = 'accept' WHERE prediction_id = 2",
                "UPDATE curated_sets SET status = 'freezing', version = 3 WHERE name = 'base'",
                "UPDATE reviews SET note = 'another' WHERE token = 'Ada-1'",
                "DELETE FROM verdicts WHERE prediction_id = 16",
                "DELETE FROM predictions WHERE id = 16",
            ):
                connection.execute(statement)
            connection.commit()
        ledger.acknowledged["Ada-2"] = ledger.acknowledged["Ada-1"]
        ledger.datasets["many"] = 9
        found = Outcome("books", 0, 0)
        books.check(stage, found, ledger, supervisors=True)
    finally:
        stage.close()
    said = "\n".join(found.problems)
    for words in (
        "prediction 2 is accepted by accept",
        "set base@3 stays freezing",
        "set base has versions [3]",
        "ruling Ada-1 is not stored as it was said",
        "Ada-2 was acknowledged and is stored 0 times",
        "run 1: 16 wanted, 15 stored",
        "run 1: 1 predictions that were stored are gone",
        "export out: set base@1 is not in the workspace",
        "dataset many",
        "foreign keys",
    ):
        assert words in said, said


def test_the_page_about_reliability_names_tests_and_drills_that_are_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    files = set(re.findall(r"`((?:tests|benchmarks)/\S+\.py)`", page))
    assert [name for name in files if not (ROOT / name).is_file()] == []
    assert set(re.findall(r"^\| `(\S+)` \| [A-Z]", page, re.MULTILINE)) == set(DRILLS)
