"""A real PostgreSQL for tests: a server of their own, started from Debian's package and thrown away.

Where its programs or ``psycopg`` are missing, the tests on it are skipped with a word.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import text

from backend.errors import StoreError
from backend.store.database import Database
from backend.store.schema import metadata
from backend.store.upgrade import upgrade

DATABASES = ("sqlite", "postgresql")
_ROOT = "postgres"
"""Debian's user for it: the server refuses to run as root."""
_SPEEDY = ("fsync=off", "full_page_writes=off", "max_connections=200", "max_wal_senders=0")
"""What a test may do without: only the machine's own crash could lose something by it."""


def programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``: the newest of Debian's, else what is on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def why_not() -> str | None:
    """Why there can be no server here; ``None`` where there can."""
    if programs() is None:
        return "no PostgreSQL here (on Debian: apt-get install postgresql)"
    if find_spec("psycopg") is None:
        return "psycopg is not installed (pip install '.[postgres]')"
    return None


class Server:
    """One server on a port of its own. It can be stopped in each of PostgreSQL's ways and started again."""

    def __init__(self, folder: Path) -> None:
        bin_folder = programs()
        assert bin_folder is not None
        self._bin = bin_folder
        self._folder = folder
        self._numbers = itertools.count(1)
        self._free: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._as = {"user": _ROOT, "group": _ROOT} if os.geteuid() == 0 else {}
        if self._as:
            shutil.chown(folder, **self._as)
        subprocess.run(
            [
                self._bin / "initdb",
                "--pgdata",
                folder / "data",
                "--username",
                "winnow",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--no-sync",
            ],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            **self._as,
        )
        self.start()
        template = Database(self.url("template1"))
        upgrade(template)
        template.close()

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://winnow@127.0.0.1:{self.port}/{name}"

    def new(self, *, empty: bool = False) -> str:
        """The URL of a new database with our tables, or without any."""
        name = f"test_{next(self._numbers)}"
        template = "template0" if empty else "template1"
        admin = Database(self.url("postgres"))
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        admin.close()
        return self.url(name)

    def lend(self) -> str:
        """The URL of a database with our tables and no row: one that was given back, else a new one."""
        return self._free.pop() if self._free else self.new()

    def give_back(self, url: str) -> None:
        """Empty a database for the next test; one that something still holds is left alone."""
        database = Database(url)
        try:
            with database.write() as connection:
                connection.execute(text("SET LOCAL lock_timeout = '2s'"))
                names = ", ".join(f'"{name}"' for name in metadata.tables)
                connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        except StoreError:
            return
        finally:
            database.close()
        self._free.append(url)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [word for option in _SPEEDY for word in ("-c", option)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._bin / "postgres",
                    "-D",
                    self._folder / "data",
                    "-p",
                    str(self.port),
                    "-h",
                    "127.0.0.1",
                    "-k",
                    self._folder,
                    *options,
                ],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                **self._as,
            )
        self._wait(True)

    def stop(self, mode: signal.Signals = signal.SIGINT) -> None:
        """Stop it: ``SIGINT`` cuts every session off, ``SIGQUIT`` leaves all as a crash does, and
        ``SIGKILL`` is the crash."""
        assert self._process is not None
        self._process.send_signal(mode)
        self._process.wait(timeout=60)
        self._wait(False)

    def away(self, seconds: float, mode: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it, and start it again after so many seconds."""
        self.stop(mode)
        time.sleep(seconds)
        self.start()

    def _wait(self, up: bool) -> None:
        ready = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(600):
            if (subprocess.run(ready, check=False).returncode == 0) is up:
                return
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text()[-2000:])


def skip_without_postgres() -> None:
    """Skip the present test where there can be no server."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server that tests share; whoever stops it starts it again."""
    skip_without_postgres()
    folder = Path(tempfile.mkdtemp(prefix="winnow-postgres-"))
    server = Server(folder)
    yield server
    server.stop(signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=DATABASES)
def either_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """``None`` for a workspace on its own SQLite file, then the URL of an empty PostgreSQL database."""
    yield from _either(request)


@pytest.fixture(params=DATABASES, scope="module")
def either_url_of_module(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The same for a workspace that the tests of a module share."""
    yield from _either(request)


@pytest.fixture
def database(either_url: str | None, tmp_path: Path) -> Iterator[Database]:
    """A new database with our tables: SQLite's and PostgreSQL's in turn."""
    made = Database(either_url or tmp_path / "winnow.db")
    upgrade(made)
    yield made
    made.close()


def _either(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "sqlite":
        yield None
        return
    server: Server = request.getfixturevalue("postgres")
    url = server.lend()
    yield url
    server.give_back(url)


def count_on(database: Database) -> None:
    """Let ids go on behind those that a test has written itself, as SQLite's do without a word."""
    if database.is_sqlite:
        return
    with database.write() as connection:
        for table, column, sequence in connection.execute(
            text(
                # Materialized, or the function may be asked about tables of other schemas first.
                "WITH ours AS MATERIALIZED (SELECT table_name, column_name "
                "FROM information_schema.columns WHERE table_schema = 'public') "
                "SELECT table_name, column_name, pg_get_serial_sequence(table_name, column_name) "
                "FROM ours WHERE pg_get_serial_sequence(table_name, column_name) IS NOT NULL"
            )
        ).all():
            connection.execute(
                text(f"SELECT setval('{sequence}', COALESCE((SELECT MAX({column}) FROM {table}), 0) + 1, false)")
            )
