"""What was found wrong in a dataset's files: the rows of its integrity report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, func, insert, select

from backend.store.database import Database
from backend.store.schema import dataset_issues


class NewIssue(NamedTuple):
    """Something wrong in a dataset's file; ``row`` is 0-based in that file."""

    code: str
    file: str
    row: int
    message: str


class DatasetIssues:
    """The issues of a workspace's datasets."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def last_issue(self) -> int:
        """The newest issue's id, of any dataset; 0 when there is none."""
        with self._db.read() as connection:
            newest = connection.execute(select(func.max(dataset_issues.c.id))).scalar_one()
        return int(newest or 0)

    def add_issues(self, dataset_id: int, issues: Sequence[NewIssue]) -> None:
        """Store issues in the order given."""
        if not issues:
            return
        rows = [{"dataset_id": dataset_id, **issue._asdict()} for issue in issues]
        with self._db.write() as connection:
            connection.execute(insert(dataset_issues), rows)

    def drop_issues(self, dataset_id: int, *, after: int) -> None:
        """Take back the issues of an import that failed: those behind id ``after``."""
        with self._db.write() as connection:
            connection.execute(
                delete(dataset_issues).where(dataset_issues.c.dataset_id == dataset_id, dataset_issues.c.id > after)
            )

    def issues(self, dataset_id: int, code: str | None = None, *, chunk: int = 1000) -> Iterator[dict[str, Any]]:
        """Issues with ``code, file, row, message``, in the order found; one read a chunk."""
        c = dataset_issues.c
        last = 0
        while True:
            query = (
                select(c.id, c.code, c.file, c.row, c.message)
                .where(c.dataset_id == dataset_id, c.id > last)
                .order_by(c.id)
                .limit(chunk)
            )
            if code is not None:
                query = query.where(c.code == code)
            with self._db.read() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield dict(zip(("code", "file", "row", "message"), row[1:], strict=True))
            if len(rows) < chunk:
                return
            last = rows[-1].id
