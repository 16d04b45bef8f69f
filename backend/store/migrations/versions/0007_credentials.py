"""Take credentials and queries out of the endpoints' URLs that older versions stored."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_USER = re.compile(r"(https?://)[^/\s@?#]*@", re.IGNORECASE)
_QUERY = re.compile(r"(https?://[^\s?#]*)[?#][^\s:]*", re.IGNORECASE)
_JSON = (("runs", "spec"), ("loops", "spec"), ("curated_sets", "lineage"), ("people", "settings"))
_WORDS = (("jobs", "error"), ("jobs", "hint"), ("failures", "error"), ("failures", "hint"))


def upgrade() -> None:
    """Whoever resumes such a run gives the key by a variable; see ``api_key_env``."""
    bind = op.get_bind()
    for name, column in _JSON:
        table, key = _table(name, sa.column(column, sa.JSON))
        for row in bind.execute(sa.select(key, table.c[column])).all():
            cleaned = _without(row[1])
            if cleaned != row[1]:
                bind.execute(sa.update(table).where(key == row[0]).values({column: cleaned}))
    for name, column in _WORDS:
        table, key = _table(name, sa.column(column, sa.Text))
        suspect = sa.or_(table.c[column].like("%://%@%"), table.c[column].like("%://%?%"))
        for row in bind.execute(sa.select(key, table.c[column]).where(suspect)).all():
            bind.execute(sa.update(table).where(key == row[0]).values({column: _plain(row[1])}))


def _table(name: str, column: sa.ColumnClause[Any]) -> tuple[sa.TableClause, Any]:
    key = "name" if name == "people" else "id"
    table = sa.table(name, sa.column(key), column)
    return table, table.c[key]


def _without(value: Any) -> Any:
    """The value with every list of endpoints in it cleaned."""
    if isinstance(value, dict):
        return {
            key: [_plain(one, whole=True) for one in inner]
            if key == "endpoints" and isinstance(inner, list)
            else _without(inner)
            for key, inner in value.items()
        }
    return [_without(inner) for inner in value] if isinstance(value, list) else value


def _plain(text: Any, *, whole: bool = False) -> Any:
    if not isinstance(text, str):
        return text
    if whole:
        text = re.split(r"[?#]", text, maxsplit=1)[0]
        # A password may hold a slash.
        head, slashes, rest = text.partition("://")
        return f"{head}{slashes}{rest.rpartition('@')[2]}"
    return _QUERY.sub(r"\1", _USER.sub(r"\1", text))
