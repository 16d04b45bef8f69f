"""Databases that benchmarks write into: SQLite's file, and a PostgreSQL of their own where there can be one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert

from backend.store.database import Database
from backend.store.schema import datasets, pairs, runs
from backend.store.upgrade import upgrade
from tests.postgres import Server, why_not


@contextmanager
def databases(wanted: list[str]) -> Iterator[dict[str, str]]:
    """URLs of new databases with our tables, by ``sqlite`` and ``postgresql``."""
    folder = Path(tempfile.mkdtemp(prefix="winnow-benchmark-"))
    urls: dict[str, str] = {}
    server: Server | None = None
    try:
        if "sqlite" in wanted:
            urls["sqlite"] = f"sqlite+pysqlite:///{folder / 'winnow.db'}"
            made = Database(urls["sqlite"])
            upgrade(made)
            made.close()
        if "postgresql" in wanted:
            if reason := why_not():
                print(f"without PostgreSQL: {reason}")
            else:
                (folder / "postgres").mkdir()
                folder.chmod(0o755)
                server = Server(folder / "postgres")
                urls["postgresql"] = server.new()
        yield urls
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def add_pairs(database: Database, count: int, run_count: int) -> None:
    """A dataset of image pairs 1 to ``count``, and runs 1 to ``run_count`` over it, all still empty."""
    with database.write() as connection:
        connection.execute(
            insert(datasets).values(
                id=1,
                name="d",
                source="pairs",
                spec="",
                data_root="/",
                status="ready",
                created_at=0.0,
                counts={"pairs": count},
            )
        )
        connection.execute(
            insert(pairs),
            [
                {
                    "id": number,
                    "dataset_id": 1,
                    "idx": number - 1,
                    "key": f"k{number}",
                    "kind": "image",
                    "prompt": "p",
                    "first_path": "a.png",
                    "second_path": "b.png",
                    "preference": "first",
                    "media_ok": True,
                    "extra": {},
                }
                for number in range(1, count + 1)
            ],
        )
        connection.execute(
            insert(runs),
            [
                {
                    "id": number,
                    "dataset_id": 1,
                    "model": "m",
                    "engine": "scripted",
                    "spec": {},
                    "policy": {},
                    "total": count,
                    "progress": {},
                    "created_at": 0.0,
                }
                for number in range(1, run_count + 1)
            ],
        )
