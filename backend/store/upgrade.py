"""Bringing a workspace's database to this version's schema.

Alembic's migrations run in one write transaction, so a failed one leaves nothing behind, and of two
processes that open a new workspace at once the second finds it made.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Select, String, column, exc, inspect, select, table, text

from backend.errors import NewerWorkspace, StoreError
from backend.store.database import Database
from backend.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

HEAD = "0008"
"""The newest revision. Kept here so that opening a workspace at it need not import Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"

_VERSION: Select[str] = select(column("version_num", String)).select_from(table("alembic_version"))
_LOCKED_WAIT_S = 30.0
_LOCKED_POLL_S = 0.05
_ADVISORY_LOCK = 7_309_455_163  # any number, as long as it is always the same


def upgrade(db: Database) -> None:
    """Create or migrate the tables. One small query when there is nothing to do.

    Raises:
        NewerWorkspace: A newer Winnow has been here.
        StoreError: The file is no database, belongs to something else, or cannot be written.
    """
    deadline = time.monotonic() + _LOCKED_WAIT_S
    while True:
        try:
            if _current(db) != HEAD:
                _migrate(db)
            return
        except StoreError as error:
            # Two processes that both turn a new file to WAL get "locked" without any waiting.
            if "locked" not in error.message or time.monotonic() > deadline:
                raise
            time.sleep(_LOCKED_POLL_S)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration without a file, bound to an open transaction."""
    from alembic.config import Config

    config = Config()
    # ConfigParser would expand a percent sign in the path.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _current(db: Database) -> str | None:
    with db.read() as connection:
        try:
            return connection.execute(_VERSION).scalar_one_or_none()
        except (exc.OperationalError, exc.ProgrammingError) as error:
            # No such table, in SQLite's and in PostgreSQL's words.
            if "no such table" in str(error.orig) or "does not exist" in str(error.orig):
                return None
            raise


def _migrate(db: Database) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    with db.write(durable=True) as connection:
        if not db.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        config = alembic_config(connection)
        names = set(inspect(connection).get_table_names())
        if "alembic_version" in names:
            scripts = ScriptDirectory.from_config(config)
            known = {script.revision for script in scripts.walk_revisions()}
            revision = connection.execute(_VERSION).scalar_one_or_none()
            if revision is not None and revision not in known:
                raise NewerWorkspace(
                    f"the workspace was made by a newer Winnow (revision {revision})",
                    hint="install that version, or choose another workspace",
                )
        elif names & set(metadata.tables) or (db.is_sqlite and names):
            raise StoreError(
                f"{db.url.database}: the database holds tables that are not Winnow's",
                hint="choose another workspace, or an empty database",
            )
        log.info("bringing %s to revision %s", db.url.database, HEAD)
        command.upgrade(config, "head")
