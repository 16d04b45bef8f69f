"""Rulings as rows of JSON: out of a workspace, and into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from backend.curation.rulings import Rulings
from backend.curation.tokens import digest, row_token, token_in
from backend.domain.json_text import load_json
from backend.domain.pairs import Order
from backend.errors import NotFound, ReviewError
from backend.foreign_text import brief, quoted
from backend.store.database import Database
from backend.store.reviews import Reviews

_ROW = 'a line is {"key": … or "index": row, "order": "dataset"|"swapped", "sample": 0, "ruling": "accept", …}'


class RulingRows:
    """A run's rulings as rows that another workspace, or a file, can hold.

    Args:
        db: The workspace's database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._reviews = Reviews(db)
        self._rulings = Rulings(db)

    def iter_export(self, run_id: int) -> Iterator[dict[str, Any]]:
        """A run's rulings, oldest first, as :meth:`import_rows` reads them."""
        for row in self._reviews.iter_run(run_id):
            yield {
                "key": row["key"],
                "index": row["index"],
                "order": row["shown_order"],
                "sample": row["sample"],
                "ruling": row["ruling"],
                "relabel": row["relabel"],
                "note": row["note"],
                "tags": row["tags"].get("tags", []),
                "reviewer": row["reviewer"],
                "token": row["token"] or row_token(run_id, row["id"], row["created_at"]),
                "undoes": None
                if row["undoes"] is None
                else row["undone_token"]
                or row_token(run_id, row["undoes"], row["undone_created_at"]),
                "unblinded": row["unblinded"],
                "created_at": row["created_at"],
            }

    def import_rows(
        self, run_id: int, rows: Iterable[str | Mapping[str, Any]], *, reviewer: str | None = None
    ) -> int:
        """Record rulings from JSON lines, all or none.

        Args:
            rows: Lines of JSON, or mappings: ``key`` or ``index``, ``order``, ``sample`` (0),
                ``ruling``, ``relabel``, ``note``, ``tags``, ``reviewer``, ``token``, ``undoes``
                (the token of what an undo takes back; else the newest), ``unblinded``. A row without a token gets
                one from its content, so that a file can be imported twice. What was exported from
                this run is known here by its tokens; what was exported from another run of this
                workspace is new.
            reviewer: Of rows that name none.

        Returns:
            How many rows were new.

        Raises:
            ReviewError: A row is broken; names its line, and nothing was recorded.
        """
        new = 0
        # Equal rows without a token (accept, undo, accept) are told apart by how often they came.
        seen: Counter[str] = Counter()
        with self._db.write(durable=True) as connection:
            self._reviews.set_tokens(
                connection,
                [
                    (review_id, row_token(run_id, review_id, created_at))
                    for review_id, created_at in self._reviews.without_token(connection, run_id)
                ],
            )
            for line, raw in enumerate(rows, start=1):
                if isinstance(raw, str) and not raw.strip():
                    continue
                try:
                    new += self._import(connection, run_id, _mapping(raw), reviewer, seen)
                except (ReviewError, NotFound) as error:
                    raise ReviewError(f"line {line}: {error.message}", hint=error.hint) from error
        return new

    def _import(
        self,
        connection: Connection,
        run_id: int,
        row: Mapping[str, Any],
        reviewer: str | None,
        seen: Counter[str],
    ) -> bool:
        who = str(row.get("reviewer") or reviewer or "")
        relabel = row.get("relabel")
        token = row.get("token")
        note, tags = row.get("note") or "", row.get("tags") or []
        if not isinstance(note, str) or not isinstance(tags, list | tuple):
            raise ReviewError("note must be a text and tags a list of texts", hint=_ROW)
        if not all(isinstance(tag, str) for tag in tags):
            raise ReviewError("tags must be a list of texts", hint=_ROW)
        try:
            "".join((who, note, *tags)).encode()
        except UnicodeEncodeError as error:
            raise ReviewError(
                "holds characters that no text has", hint="half surrogate pairs are none"
            ) from error
        if token is None:
            names = ("key", "index", "order", "sample", "ruling", "relabel", "note", "tags")
            content = digest(["import", run_id, who, *(row.get(name) for name in names)])
            seen[content] += 1
            token = content if seen[content] == 1 else digest([content, seen[content]])
        undoes = row.get("undoes")
        if undoes is not None and not isinstance(undoes, str):
            raise ReviewError(
                "undoes must be the token of the ruling that was taken back", hint=_ROW
            )
        unblinded = row.get("unblinded")
        if not (unblinded is None or isinstance(unblinded, bool)):
            raise ReviewError("unblinded must be true, false or null", hint=_ROW)
        token = self._own(connection, run_id, token)
        undoes = self._own(connection, run_id, undoes)
        _, new = self._rulings.add_within(
            connection,
            self._find(connection, run_id, row),
            str(row.get("ruling")),
            relabel=relabel,
            note=note,
            tags=tags,
            reviewer=who,
            token=token,
            undoes=undoes,
            unblinded=unblinded,
        )
        return new

    def _own(self, connection: Connection, run_id: int, token: Any) -> Any:
        """The token as this run knows it: another one where it is another run's already."""
        if not isinstance(token, str):
            return token
        known = self._reviews.by_token(connection, token)
        return token if known is None or known.run_id == run_id else token_in(run_id, token)

    def _find(self, connection: Connection, run_id: int, row: Mapping[str, Any]) -> int:
        key, index = row.get("key"), row.get("index")
        order, sample = row.get("order", Order.DATASET.value), row.get("sample", 0)
        if key is None and index is None:
            raise ReviewError("neither key nor index names the pair", hint=_ROW)
        if order not in {item.value for item in Order}:
            raise ReviewError(f"order {quoted(order)} is neither dataset nor swapped", hint=_ROW)
        if type(sample) is not int or (key is None and type(index) is not int):
            raise ReviewError("index and sample must be whole numbers", hint=_ROW)
        found = self._reviews.find_prediction(
            connection,
            run_id,
            key=None if key is None else str(key),
            index=index,
            order=order,
            sample=sample,
        )
        ids = list(found)
        if not ids:
            raise ReviewError(
                f"run {run_id} has no prediction {key or index}, order {order}, sample {sample}",
                hint="`winnow run predictions` lists key, index, order and sample",
            )
        return ids[0]


def _mapping(raw: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(raw, Mapping):
        return raw
    try:
        row = load_json(raw, unique=True)
    except (TypeError, ValueError) as error:
        raise ReviewError(
            f"invalid JSON ({brief(error)})", hint="one JSON object a line"
        ) from error
    if not isinstance(row, dict):
        raise ReviewError("is no JSON object", hint="one JSON object a line")
    return row
