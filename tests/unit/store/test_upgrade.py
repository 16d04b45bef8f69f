"""Creating and migrating a workspace's database."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from backend.errors import NewerWorkspace, StoreError
from backend.store import upgrade as upgrading
from backend.store.database import Database
from backend.store.schema import metadata
from backend.store.upgrade import HEAD, alembic_config, upgrade


def definitions(db: Database) -> set[str]:
    """Every table and index, down to names and constraints; line breaks, quotes and the place of a
    column evened out: SQLite writes a column that was added later behind the constraints."""
    with db.read() as connection:
        rows = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name != :own"), {"own": "alembic_version"}
        )
        return {"\n".join(parts(sql.replace('"', ""))) for (sql,) in rows}


def parts(sql: str) -> list[str]:
    """``CREATE TABLE x (`` and, sorted, what stands in its brackets, split where no other bracket is open."""
    head, _, body = sql.partition("(")
    found, depth = [""], 0
    for letter in " ".join(body.rstrip().removesuffix(")").split()):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [" ".join(head.split()), *sorted(" ".join(part.split()) for part in found)]


def test_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    db = Database(tmp_path / "migrated.db")
    upgrade(db)
    with db.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []

    declared = Database(tmp_path / "declared.db")
    with declared.write() as connection:
        metadata.create_all(connection)
    assert definitions(db) == definitions(declared)


def test_head_is_the_newest_migration(tmp_path: Path) -> None:
    db = Database(tmp_path / "w.db")
    with db.read() as connection:
        assert ScriptDirectory.from_config(alembic_config(connection)).get_heads() == [HEAD]


def test_a_workspace_at_head_is_opened_without_alembic(tmp_path: Path) -> None:
    upgrade(Database(tmp_path / "w.db"))
    code = (
        "import sys; from pathlib import Path\n"
        "from backend.store.database import Database\n"
        "from backend.store.upgrade import upgrade\n"
        "upgrade(Database(Path(sys.argv[1])))\n"
        "assert not [name for name in sys.modules if name.startswith('alembic')]"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "w.db")], check=True)


def test_a_failed_migration_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    own = upgrading.MIGRATIONS
    (versions.parent / "env.py").write_text((own / "env.py").read_text())
    for good in (own / "versions").glob("*.py"):
        (versions / good.name).write_text(good.read_text())
    broken = versions / "9999_broken.py"
    broken.write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision = '9999'\ndown_revision = '{HEAD}'\n"
        "def upgrade():\n"
        "    op.create_table('half', sa.Column('id', sa.Integer()))\n"
        "    op.execute('SELECT * FROM nowhere')\n"
    )
    db = Database(tmp_path / "w.db")
    with monkeypatch.context() as patch:
        patch.setattr(upgrading, "MIGRATIONS", versions.parent)
        with pytest.raises(StoreError, match="nowhere"):
            upgrade(db)
        with db.read() as connection:
            assert inspect(connection).get_table_names() == []
    upgrade(db)
    with db.read() as connection:
        assert "half" not in inspect(connection).get_table_names()


def test_a_workspace_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    db = Database(tmp_path / "w.db")
    upgrade(db)
    with db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerWorkspace, match="9999") as caught:
        upgrade(db)
    assert caught.value.hint
    with db.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    file.write_bytes(b"this is a letter to my aunt\n" * 100)
    with pytest.raises(StoreError) as caught:
        upgrade(Database(file))
    assert caught.value.hint
    assert file.read_bytes().startswith(b"this is a letter")


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "w.db") as other:
        other.execute("CREATE TABLE recipes (id INTEGER)")
    other.close()
    with pytest.raises(StoreError, match="not Winnow's"):
        upgrade(Database(tmp_path / "w.db"))


def test_a_missing_folder_is_one_line_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        upgrade(Database(tmp_path / "nowhere" / "w.db"))
    assert caught.value.hint


@pytest.mark.slow
def test_processes_that_open_a_new_workspace_at_once_all_succeed(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = (
        "import sys, time; from pathlib import Path\n"
        "import alembic.command\n"
        "from backend.store.database import Database\n"
        "from backend.store.upgrade import upgrade\n"
        "print('ready', flush=True)\n"
        "while not Path(sys.argv[2]).exists(): pass\n"
        "upgrade(Database(Path(sys.argv[1])))"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "w.db"), str(go)]
    workers = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    go.touch()
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == 0, errors
    with Database(tmp_path / "w.db").read() as connection:
        assert len(inspect(connection).get_table_names()) == len(metadata.tables) + 1


def test_old_rulings_in_a_blind_queue_are_marked_by_what_their_rows_tell(tmp_path: Path) -> None:
    db = Database(tmp_path / "w.db")
    with db.write() as connection:
        command.upgrade(alembic_config(connection), "0002")
        for statement in _OLD_ROWS.strip().split(";\n"):
            connection.execute(text(statement))
    upgrade(db)
    with db.read() as connection:
        rows = connection.execute(text("SELECT id, queue_id, unblinded FROM reviews ORDER BY id")).all()
        jobs = connection.execute(text("SELECT id, earlier_s FROM jobs ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [
        (1, None, None),  # before there was a queue
        (2, 1, 0),  # ann, blind
        (3, 1, 1),  # ann again: the verdict had opened to her
        (4, 1, None),  # a note beside it
        (5, 1, 0),  # bob, blind
        (6, 2, None),  # in a queue that is not blind
        (7, None, None),  # nobody handed this one out to cid
    ]
    # What the attempts before a resume took was overwritten, and is not guessed.
    assert [tuple(row) for row in jobs] == [(1, 0.0), (2, None)]


_OLD_ROWS = """
INSERT INTO datasets (id, name, source, spec, data_root, fingerprint, status, counts, created_at)
 VALUES (1, 'd', 's', '', '', '', 'ready', '{}', 0);
INSERT INTO jobs (id, kind, status, argv, env, devices, log_path, attempt, cancel_requested, created_at)
 VALUES (1, 'run', 'finished', '{}', '{}', '', '', 1, 0, 0),
 (2, 'run', 'finished', '{}', '{}', '', '', 2, 0, 0);
INSERT INTO runs (id, dataset_id, model, engine, spec, policy, total, progress, created_at)
 VALUES (1, 1, 'm', 'e', '{}', '{}', 2, '{}', 0);
INSERT INTO pairs (id, dataset_id, idx, key, kind, prompt, first_path, second_path, preference, media_ok, extra)
 VALUES (1, 1, 0, 'k', 'image', '', '', '', 'first', 1, '{}');
INSERT INTO predictions (id, run_id, pair_id, shown_order, sample, text, created_at)
 VALUES (1, 1, 1, 'dataset', 0, '', 0), (2, 1, 1, 'dataset', 1, '', 0);
INSERT INTO review_queues (id, title, kind, spec, items, created_by, created_at)
 VALUES (1, 'b', 'filter', '{"blind": true}', 1, 'ann', 10), (2, 'n', 'filter', '{}', 1, 'ann', 10);
INSERT INTO queue_items (queue_id, position, prediction_id, rulings)
 VALUES (1, 0, 1, 2), (2, 0, 2, 1);
INSERT INTO queue_claims (queue_id, position, reviewer, expires_at, done)
 VALUES (1, 0, 'ann', 0, 1), (1, 0, 'bob', 0, 1), (2, 0, 'ann', 0, 1);
INSERT INTO reviews (id, prediction_id, run_id, ruling, shown_order, note, tags, reviewer, replaced, created_at)
 VALUES (1, 1, 1, 'accept', 'dataset', '', '{}', 'ann', '{}', 5),
 (2, 1, 1, 'accept', 'dataset', '', '{}', 'ann', '{}', 20),
 (3, 1, 1, 'reject', 'dataset', '', '{}', 'ann', '{}', 21),
 (4, 1, 1, 'note', 'dataset', '', '{}', 'ann', '{}', 22),
 (5, 1, 1, 'accept', 'dataset', '', '{}', 'bob', '{}', 23),
 (6, 2, 1, 'accept', 'dataset', '', '{}', 'ann', '{}', 24),
 (7, 1, 1, 'accept', 'dataset', '', '{}', 'cid', '{}', 25)
"""


def test_credentials_that_an_older_version_stored_in_urls_are_taken_out(tmp_path: Path) -> None:
    db = Database(tmp_path / "w.db")
    url, asked = "https://user:s3cr3t/@x@h:1/v1", "http://h/v1?api_key=s3cr3t"
    spec = json.dumps({"options": {"endpoints": [url, asked, "http://plain:8000/v1"]}})
    words = f"{asked}/chat/completions: 500 mail me@h; https://user:s3cr3t@h:1/v1: 503"
    with db.write() as connection:
        command.upgrade(alembic_config(connection), "0005")
        for statement in _OLD_ROWS.strip().split(";\n")[:4]:
            connection.execute(text(statement))
        values = {
            "spec": spec,
            "lineage": json.dumps({"runs": [{"spec": json.loads(spec)}]}),
            "words": words,
            "own": json.dumps({"run_presets": {"p": json.loads(spec)}}),
        }
        for statement in (
            "UPDATE runs SET spec = :spec",
            "UPDATE jobs SET error = :words, hint = 'no URL: what? me@h'",
            "INSERT INTO loops (spec, state, created_at) VALUES (:spec, '{}', 0)",
            "INSERT INTO people (name, settings) VALUES ('ann', :own)",
            "INSERT INTO failures (run_id, pair_id, shown_order, sample, error, attempts, created_at)"
            " VALUES (1, 1, 'dataset', 0, :words, 1, 0)",
        ):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
    upgrade(db)
    with db.read() as connection:
        stored = connection.execute(text("SELECT spec FROM runs")).scalar_one()
        errors = connection.execute(text("SELECT error, hint FROM jobs")).first()
        told = connection.execute(text("SELECT error FROM failures")).scalar_one()
    assert json.loads(stored)["options"]["endpoints"] == ["https://h:1/v1", "http://h/v1", "http://plain:8000/v1"]
    assert told == "http://h/v1: 500 mail me@h; https://h:1/v1: 503"
    assert errors is not None and tuple(errors) == (told, "no URL: what? me@h")
    db.close()
    assert "s3cr3t" not in dump(tmp_path / "w.db")


def dump(file: Path) -> str:
    """Every row that a database holds."""
    with closing(sqlite3.connect(file)) as opened:
        return "\n".join(opened.iterdump())
