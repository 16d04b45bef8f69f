"""Rulings as rows of JSON: out of a workspace, and into one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection

from backend.curation.rulings import Rulings, check_texts, checked
from backend.curation.tokens import digest, row_token, token_in
from backend.domain.json_text import load_json
from backend.domain.pairs import Order
from backend.errors import NotFound, ReviewError
from backend.foreign_text import brief, quoted
from backend.hints import Hint
from backend.store.database import Database
from backend.store.outage import Patience
from backend.store.review_batch import ReviewBatch
from backend.store.reviews import Reviews
from backend.store.together import write_again

CHUNK = 250
PAUSE_S = 0.01
_ROW = 'a line is {"key": … or "index": row, "order": "dataset"|"swapped", "sample": 0, "ruling": "accept", …}'


class RulingRows:
    """A run's rulings as rows that another workspace, or a file, can hold.

    Args:
        db: The workspace's database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._reviews = Reviews(db)

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
                else row["undone_token"] or row_token(run_id, row["undoes"], row["undone_created_at"]),
                "unblinded": row["unblinded"],
                "created_at": row["created_at"],
            }

    def import_rows(
        self,
        run_id: int,
        rows: Iterable[str | Mapping[str, Any]],
        *,
        reviewer: str | None = None,
        patience: Patience | None = None,
    ) -> int:
        """Record rulings from JSON lines.

        Every line is checked before the first one is recorded. They are recorded in short transactions,
        between which others write; one that is cut off in the middle leaves the first part recorded,
        and goes on when the same rows are imported again.

        Args:
            rows: Lines of JSON, or mappings: ``key`` or ``index``, ``order``, ``sample`` (0),
                ``ruling``, ``relabel``, ``note``, ``tags``, ``reviewer``, ``token``, ``undoes``
                (the token of what an undo takes back; else the newest), ``unblinded``. A row without a token gets
                one from its content, so that a file can be imported twice. What was exported from
                this run is known here by its tokens; what was exported from another run of this
                workspace is new.
            reviewer: Of rows that name none.
            patience: Waits for a database that is busy or away; without it that is an error.

        Returns:
            How many rows were new.

        Raises:
            ReviewError: A row is broken; names its line, and nothing was recorded. Or one makes no
                sense any more because somebody ruled while the rows were recorded; says how many were.
        """
        wait = patience or Patience(0)
        wait.call(lambda: self._give_tokens(run_id))
        lines = list(_read_all(run_id, rows, reviewer))
        trial = ReviewBatch(self._db)
        for chunk in _chunks(lines):
            wait.call(partial(self._find, run_id, chunk))
            wait.call(partial(self._try, trial, run_id, chunk))
        new = 0
        for number, chunk in enumerate(_chunks(lines)):
            if number:
                # Those who wait for their turn to write look for it every few milliseconds.
                time.sleep(PAUSE_S)
            record = partial(self._record, run_id, chunk)
            try:
                new += wait.call(partial(write_again, self._db, record, durable=True))
            except ReviewError as error:
                raise ReviewError(
                    error.message,
                    hint=f"{error.hint}; {number * CHUNK} rows before it were recorded, and the same "
                    "file can be imported again",
                ) from error
        return new

    def _try(self, trial: ReviewBatch, run_id: int, lines: Sequence[_Line]) -> None:
        with self._db.read() as connection:
            _load(connection, trial, run_id, lines, lock=False)
            self._add(connection, trial, run_id, lines)

    def _record(self, run_id: int, lines: Sequence[_Line], connection: Connection) -> int:
        batch = ReviewBatch(self._db)
        _load(connection, batch, run_id, lines, lock=True)
        added = self._add(connection, batch, run_id, lines)
        batch.flush(connection)
        return added

    def _give_tokens(self, run_id: int) -> None:
        """To rulings that an older Winnow stored without one; always the same."""
        with self._db.read() as connection:
            lacking = self._reviews.without_token(connection, run_id)
        if lacking:
            with self._db.write(durable=True) as connection:
                made = [(one, row_token(run_id, one, created_at)) for one, created_at in lacking]
                self._reviews.set_tokens(connection, made)

    def _find(self, run_id: int, lines: Sequence[_Line]) -> None:
        """Fill in the predictions that the lines name."""
        names = {line.name for line in lines}
        with self._db.read() as connection:
            found = self._reviews.find_predictions(
                connection,
                run_id,
                keys=[name for name in names if isinstance(name, str)],
                indexes=[name for name in names if isinstance(name, int)],
            )
        for line in lines:
            prediction = found.get((line.name, line.order, line.sample))
            if prediction is None:
                raise ReviewError(
                    f"line {line.number}: run {run_id} has no prediction {quoted(line.name)}, order "
                    f"{line.order}, sample {line.sample}",
                    hint=Hint("{LIST_PREDICTIONS} lists key, index, order and sample", on=run_id),
                )
            line.prediction = prediction

    def _add(self, connection: Connection, batch: ReviewBatch, run_id: int, lines: Sequence[_Line]) -> int:
        rulings = Rulings(self._db, batch)
        added = 0
        for line in lines:
            try:
                _, new = rulings.add_within(
                    connection,
                    line.prediction,
                    line.ruling,
                    relabel=line.relabel,
                    note=line.note,
                    tags=line.tags,
                    reviewer=line.reviewer,
                    token=_own(connection, batch, run_id, line.token),
                    undoes=line.undoes and _own(connection, batch, run_id, line.undoes),
                    unblinded=line.unblinded,
                )
            except (ReviewError, NotFound) as error:
                message = f"line {line.number}: {error.message}"
                raise ReviewError(message, hint=error.hint) from error
            added += new
        return added


@dataclass(slots=True)
class _Line:
    """A row whose fields are of the right kinds; ``prediction`` is looked up later."""

    number: int
    name: str | int
    order: str
    sample: int
    ruling: str
    relabel: Any
    note: str
    tags: tuple[str, ...]
    reviewer: str
    token: str
    undoes: str | None
    unblinded: bool | None
    prediction: int = 0


def _chunks(lines: Sequence[_Line]) -> Iterator[Sequence[_Line]]:
    for start in range(0, len(lines), CHUNK):
        yield lines[start : start + CHUNK]


def _load(connection: Connection, batch: ReviewBatch, run_id: int, lines: Sequence[_Line], *, lock: bool) -> None:
    """Read what recording these lines looks at."""
    tokens = {one for line in lines for one in (line.token, line.undoes) if one is not None}
    batch.load(connection, {line.prediction for line in lines}, tokens, lock=lock)
    # Those that are another run's already have another name here.
    own = {_own(connection, batch, run_id, token) for token in tokens} - tokens
    batch.load(connection, (), own, lock=False)


def _own(connection: Connection, batch: ReviewBatch, run_id: int, token: str) -> str:
    """The token as this run knows it: another one where it is another run's already."""
    known = batch.by_token(connection, token)
    return token if known is None or known.run_id == run_id else token_in(run_id, token)


def _read_all(run_id: int, rows: Iterable[str | Mapping[str, Any]], reviewer: str | None) -> Iterator[_Line]:
    # Equal rows without a token (accept, undo, accept) are told apart by how often they came.
    seen: Counter[str] = Counter()
    for number, raw in enumerate(rows, start=1):
        if isinstance(raw, str) and not raw.strip():
            continue
        try:
            yield _line(number, run_id, _mapping(raw), reviewer, seen)
        except ReviewError as error:
            raise ReviewError(f"line {number}: {error.message}", hint=error.hint) from error


def _line(number: int, run_id: int, row: Mapping[str, Any], reviewer: str | None, seen: Counter[str]) -> _Line:
    who = str(row.get("reviewer") or reviewer or "")
    note, tags = row.get("note") or "", row.get("tags") or []
    if not isinstance(note, str) or not isinstance(tags, list | tuple):
        raise ReviewError("note must be a text and tags a list of texts", hint=_ROW)
    if not all(isinstance(tag, str) for tag in tags):
        raise ReviewError("tags must be a list of texts", hint=_ROW)
    undoes = row.get("undoes")
    if undoes is not None and not isinstance(undoes, str):
        raise ReviewError("undoes must be the token of the ruling that was taken back", hint=_ROW)
    unblinded = row.get("unblinded")
    if not (unblinded is None or isinstance(unblinded, bool)):
        raise ReviewError("unblinded must be true, false or null", hint=_ROW)
    key, index = row.get("key"), row.get("index")
    order, sample = row.get("order", Order.DATASET.value), row.get("sample", 0)
    if key is None and index is None:
        raise ReviewError("neither key nor index names the pair", hint=_ROW)
    if not isinstance(order, str) or order not in {item.value for item in Order}:
        raise ReviewError(f"order {quoted(order)} is neither dataset nor swapped", hint=_ROW)
    if type(sample) is not int or (key is None and type(index) is not int):
        raise ReviewError("index and sample must be whole numbers", hint=_ROW)
    ruling = str(row.get("ruling"))
    checked(ruling, row.get("relabel"), who, row.get("token"), note=note, tags=tags)
    check_texts({"key": str(key), "token of what is undone": undoes or ""})
    token = row.get("token")
    if token is None:
        names = ("key", "index", "order", "sample", "ruling", "relabel", "note", "tags")
        content = digest(["import", run_id, who, *(row.get(name) for name in names)])
        seen[content] += 1
        token = content if seen[content] == 1 else digest([content, seen[content]])
    return _Line(
        number=number,
        name=str(key) if key is not None else cast(int, index),
        order=order,
        sample=sample,
        ruling=ruling,
        relabel=row.get("relabel"),
        note=note,
        tags=tuple(tags),
        reviewer=who,
        token=token,
        undoes=undoes,
        unblinded=unblinded,
    )


def _mapping(raw: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(raw, Mapping):
        return raw
    try:
        row = load_json(raw, unique=True)
    except (TypeError, ValueError) as error:
        raise ReviewError(f"invalid JSON ({brief(error)})", hint="one JSON object a line") from error
    if not isinstance(row, dict):
        raise ReviewError("is no JSON object", hint="one JSON object a line")
    return row
