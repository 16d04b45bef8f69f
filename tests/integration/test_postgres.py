"""The whole loop on PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from backend.curation.sets import freeze
from backend.domain.filtering import PRESETS
from backend.store.database import Database
from backend.store.predictions import Predictions
from backend.store.schema import metadata
from backend.store.upgrade import upgrade
from backend.workspace import Workspace, open_workspace, settings_for
from tests.integration.conftest import Result, Winnow
from tests.integration.test_invariant import exported_rows, is_green, judgment
from tests.postgres import Server


@pytest.fixture
def empty(postgres: Server) -> Iterator[Database]:
    """A database without a table."""
    database = Database(postgres.new(empty=True))
    yield database
    database.close()


@pytest.fixture
def url(empty: Database) -> str:
    return empty.url.render_as_string(hide_password=False)


@pytest.fixture
def command(url: str, winnow: Winnow) -> Winnow:
    """``winnow`` on that database."""

    def call(*words: object, **options: Any) -> Result:
        return winnow(*words, env={"WINNOW_DATABASE_URL": url}, **options)

    return call


@pytest.fixture
def space(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("WINNOW_DATABASE_URL", url)
    opened = open_workspace(settings_for(tmp_path / "ws"))
    yield opened
    opened.close()


def test_migrations_make_the_tables_that_the_schema_names(empty: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    upgrade(empty)
    upgrade(empty)
    with empty.read() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        # PostgreSQL spells expressions in its own words, so indexes are compared by their names.
        changes = [change for change in found if "index" not in str(change[0])]
        assert changes == []
        names = {
            index["name"]
            for table in metadata.tables
            for index in inspect(connection).get_indexes(table)
            if "duplicates_constraint" not in index
        }
    assert names == {index.name for table in metadata.tables.values() for index in table.indexes}


def test_two_processes_that_open_a_new_workspace_at_once_make_it_once(url: str) -> None:
    errors: list[Exception] = []

    def open_it() -> None:
        database = Database(url)
        try:
            upgrade(database)
        except Exception as error:  # noqa: BLE001
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_run_is_judged_reviewed_frozen_and_exported(command: Winnow, visible_winners: Path, tmp_path: Path) -> None:
    words = ["dataset", "add", f"hpdv3:{visible_winners}", "--name", "d", "--json"]
    assert command(*words).json["pairs"] == 12
    assert command(*words).json["pairs"] == 12
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps({"text": judgment(n)}) + "\n" for n in (1, 2)))
    run = command(
        "run",
        "start",
        "--dataset",
        "d",
        "--model",
        "m",
        "--engine",
        "scripted",
        "--scripted-file",
        script,
        "--order",
        "both",
        "--samples",
        2,
        "--wait",
        "--json",
    ).json
    assert (run["status"], run["counts"]["done"]) == ("finished", 48)
    rows = command("run", "predictions", run["id"], "--json").lines
    assert len({(row["key"], row["order"], row["sample"]) for row in rows}) == len(rows) == 48
    policy = ["run", "filter", run["id"], "--json", "--policy"]
    assert command(*policy, "order-consistent").json["counts"]["accepted"] < 48
    counts = command(*policy, "agreement").json["counts"]
    texts = tmp_path / "texts.jsonl"
    lines = [json.dumps({"index": n, "text": judgment(1)}) + "\n" for n in range(12)]
    lines[5] = json.dumps({"index": 5, "text": judgment(1) + "\0\ud800"}) + "\n"
    texts.write_text("".join(lines))
    imported = command("run", "import", "--dataset", "d", "--predictions", texts, "--json").json
    assert imported["counts"]["accepted"] == 12
    review = ["review", "add", imported["id"], "--index", 0, "--ruling", "reject"]
    command(*review, "--note", "no")
    command("review", "undo", imported["id"], "--index", 0)
    command(*review)
    command("set", "create", "s", "--run", run["id"], "--run", imported["id"])
    assert command("set", "show", "s", "--json").json["counts"]["items"] == counts["accepted"] + 11
    for name in ("lightrft", "parquet"):
        command("export", "s", "--format", name, "--out", tmp_path / name, "--split", 0.2)
        exported = exported_rows(tmp_path / name, name)
        assert len(exported) == counts["accepted"] + 11
        for response, media in exported:
            number = 1 if " 1 is better</answer>" in response else 2
            assert is_green(Path(media[number - 1])) and not is_green(Path(media[2 - number]))


def test_a_read_transaction_sees_one_state_of_the_database(space: Workspace, visible_winners: Path) -> None:
    from backend.ingest.importer import import_dataset
    from backend.store.schema import datasets

    with space.database.read() as snapshot:
        assert snapshot.execute(select(datasets.c.id)).all() == []
        import_dataset(space.database, name="d", spec=f"hpdv3:{visible_winners}")
        assert snapshot.execute(select(datasets.c.id)).all() == []
    assert [row.name for row in space.datasets.list()] == ["d"]


def test_rulings_get_in_while_a_run_is_decided_anew_and_frozen(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, visible_winners: Path
) -> None:
    from backend.inference import deciding
    from backend.inference.imports import import_predictions
    from backend.inference.spec import RunSpec, instructions
    from backend.ingest.importer import import_dataset

    dataset = import_dataset(space.database, name="d", spec=f"hpdv3:{visible_winners}")
    file = space.folder / "texts.jsonl"
    file.write_text("".join(json.dumps({"index": n, "text": judgment(1)}) + "\n" for n in range(12)))
    spec = RunSpec(model="m", engine="import", instruction=instructions(None, use_cot=True))
    run_id = import_predictions(space.database, dataset.id, spec, PRESETS["agreement"], file)
    ids = [row["id"] for row in Predictions(space.database).iter_rows(run_id)]
    monkeypatch.setattr(deciding, "CHUNK", 4)
    decide_page = deciding._changed
    given: list[int] = []

    def rule(*arguments: Any) -> Any:
        changed = decide_page(*arguments)
        thread = threading.Thread(target=lambda: given.append(space.rulings.add(ids[-1], "reject", reviewer="a").id))
        thread.start()
        thread.join(timeout=20)
        return changed

    monkeypatch.setattr(deciding, "_changed", rule)
    space.launcher.refilter(run_id, PRESETS["one-per-pair"])
    assert len(given) >= 3
    assert space.predictions.state(ids[-1])["effective"] == "rejected"
    assert freeze(space.database, "s", [run_id]).counts["items"] == 11
