"""Opening a workspace's database, and the two kinds of transaction.

A database that does not answer just now raises :class:`~backend.errors.StoreUnavailable`, from here
alone; :mod:`backend.store.outage` says what that is, and waits for it.

SQLite runs in WAL mode with explicit transactions: ``BEGIN`` for reading, ``BEGIN IMMEDIATE`` for
writing, so that a writer waits for another at its start and never fails in its middle. The driver
is ``pysqlite3`` where it can be had, because older SQLite libraries can corrupt a WAL file under
two writers (https://sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    Table,
    bindparam,
    column,
    create_engine,
    event,
    exc,
    func,
    make_url,
    select,
    text,
)

from backend.domain.json_text import load_json
from backend.errors import StoreError, StoreUnavailable
from backend.store.outage import Presence, is_outage
from backend.store.turns import poll, turn

log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 30_000
_NAMES_NOTHING = "ids, indexes and samples have 64 bits at most"
_NOT_TEXT = "nothing was stored; write it in UTF-8, or give another name"
_AWAY = "is the database's server up? nothing committed so far is lost; try again when it answers"
_SAFE_SQLITE = (3, 51, 3)
_POSTGRES = {
    # A host that is gone says nothing: notice it by ourselves, and long before TCP would.
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def sqlite_driver() -> ModuleType:
    """``pysqlite3`` when installed, else the standard library's module.

    Both are DB-API modules of one interface; only the SQLite inside differs.
    """
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        return sqlite3
    return dbapi2  # type: ignore[no-any-return]


class Database:
    """A workspace's database.

    Args:
        url: An SQLAlchemy URL, or the path of an SQLite file.

    Attributes:
        read_only: Refuse what anybody decides, because it would be lost: this is a copy, or not ours.

    Raises:
        StoreError: The database's driver is not installed.
    """

    read_only = False

    def __init__(self, url: str | Path) -> None:
        parsed = make_url(f"sqlite+pysqlite:///{url}") if isinstance(url, Path) else make_url(url)
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"json_deserializer": load_json}
        if self.is_sqlite:
            options |= {
                "module": sqlite_driver(),
                # Transactions are begun by the events below, never implicitly by the driver.
                "connect_args": {"isolation_level": None, "check_same_thread": False},
            }
        else:
            # A connection that a restart has cut off is replaced before anybody gets it.
            own = {name: value for name, value in _POSTGRES.items() if name not in parsed.query}
            options |= {"pool_pre_ping": True, "connect_args": own}
        self.presence = Presence()
        try:
            self.engine: Engine = create_engine(parsed, **options)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{error.name}, which {parsed.drivername} needs, is not installed", hint="pip install '.[postgres]'"
            ) from error
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)

    @staticmethod
    def file_of(url: str) -> Path | None:
        """The file of an SQLite database; ``None`` where it has none."""
        parsed = make_url(url)
        named = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
        return Path(str(parsed.database)) if named else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short read transaction, which sees the database as it was at its first query. Fetch and
        leave: an open one keeps the WAL file from shrinking.

        Raises:
            StoreError: The database cannot be read.
            StoreUnavailable: It cannot be read just now.
        """
        with self._errors(), self.engine.connect() as connection:
            if not self.is_sqlite:
                # SQLite's WAL gives a snapshot as it is; PostgreSQL would look anew at every query.
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False, derived: bool = False) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back on an exception.

        Args:
            durable: Wait until the commit is on the disk. For what people decide; what a judge
                wrote can be made again and is committed without waiting.
            derived: What is written can be made from the rest at any time: an index.

        Raises:
            StoreError: The database cannot be written: it is read-only, or the disk is full, say.
            StoreUnavailable: It cannot be written just now: it is away, or another writer held it
                longer than the busy timeout. Where the connection broke in the commit, all of it may
                have been stored.
        """
        if self.read_only and not derived:
            raise StoreError("this workspace is read-only", hint="make its folder writable")
        with self._errors(), self.engine.connect() as connection:
            if self.is_sqlite:
                # Outside a transaction, or SQLite ignores it.
                raw: Any = connection.connection.dbapi_connection
                raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection = connection.execution_options(winnow_write=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with _store_errors(self.url.database):
                yield
        except StoreUnavailable as error:
            self.presence.lost(error.message)
            raise
        self.presence.answered()


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.close()


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("winnow_write", False):
        connection.exec_driver_sql("BEGIN")
        return
    raw: Any = connection.connection.dbapi_connection
    patience_s = BUSY_TIMEOUT_MS / 1000
    with turn(connection.engine.url.database, patience_s):
        # SQLite's own waiting looks ten times a second in the end; the first in line looks often.
        raw.execute("PRAGMA busy_timeout=0")
        try:
            poll(lambda: _begin_now(raw), time.monotonic() + patience_s)
            if not raw.in_transaction:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # says why it cannot be
        finally:
            raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _begin_now(raw: Any) -> bool:
    """Whether waiting is over: it has begun, or another reason than the lock is against it."""
    try:
        raw.execute("BEGIN IMMEDIATE")
    except sqlite_driver().OperationalError as error:
        return " is locked" not in str(error)
    return True


def warn_about_old_sqlite() -> str | None:
    """One line about a SQLite library that can corrupt a WAL database, or ``None``."""
    driver = sqlite_driver()
    version: tuple[int, ...] = driver.sqlite_version_info
    if version >= _SAFE_SQLITE:
        return None
    return f"SQLite {driver.sqlite_version} can corrupt a database under two writers"


@contextmanager
def _store_errors(name: str | None) -> Iterator[None]:
    try:
        yield
    except OverflowError as error:
        raise StoreError("a number is too large for any row", hint=_NAMES_NOTHING) from error
    except UnicodeEncodeError as error:
        raise StoreError("a name or a text is not UTF-8", hint=_NOT_TEXT) from error
    except (exc.DBAPIError, exc.TimeoutError) as error:
        detail = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        message = f"{name}: {detail}"
        if is_outage(error):
            busy = "locked" in detail or isinstance(error, exc.TimeoutError)
            hint = "another process is writing; try again" if busy else _AWAY
            raise StoreUnavailable(message, hint=hint) from error
        if isinstance(error, exc.IntegrityError | exc.ProgrammingError | exc.DataError):
            raise
        raise StoreError(message, hint=_hint(detail, error)) from error


def _hint(detail: str, error: exc.DBAPIError | exc.TimeoutError) -> str | None:
    if "full" in detail:
        return "free some space; nothing committed so far is lost"
    if "I/O" in detail:
        return "is the disk full, over its quota, or failing? nothing committed so far is lost"
    if "readonly" in detail or "unable to open" in detail:
        return "check that the workspace's folder exists and can be written"
    if isinstance(error, exc.OperationalError):
        return None
    return "is this file a Winnow workspace's database?"


def insert_into(connection: Connection, table: Table) -> Any:
    """``INSERT`` that can be told what to do ``on_conflict_…``: the two dialects spell that alike, but
    each has its own class for it."""
    # Only the one in use: each takes a while to import.
    dialect: Any = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    return dialect.insert(table)


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, unless: Sequence[str] = ()
) -> None:
    """Insert many rows that name the same columns, in their order, the way that is fast.

    Args:
        unless: The columns of a unique key: a row whose key is there is left out.
    """
    if not rows:
        return
    statement = insert_into(connection, table)
    if connection.dialect.name == "sqlite":
        given: Any = [dict(row) for row in rows]
    else:
        # One statement with one parameter, however many rows: making each a statement, or a part of a
        # long one, takes several times as long.
        named = [column(name, table.c[name].type) for name in rows[0]]
        record = func.json_to_recordset(bindparam("rows", type_=JSON)).table_valued(*named)
        derived = record.render_derived(with_types=True)
        statement = statement.from_select(list(rows[0]), select(*derived.c))
        given = {"rows": list(rows)}
    if unless:
        statement = statement.on_conflict_do_nothing(index_elements=list(unless))
    connection.execute(statement, given)


def ping(database: Database) -> None:
    """Raise :class:`StoreError` unless the database answers."""
    with database.read() as connection:
        connection.execute(text("SELECT 1"))
