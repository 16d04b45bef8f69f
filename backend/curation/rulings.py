"""Recording what people decide. Rows are only ever added; undo is another row."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from backend.curation.acts import Act, effective_of, in_force, replaced, rule, undo
from backend.domain.pairs import Order, Preference
from backend.domain.rulings import Ruling
from backend.errors import NotFound, ReviewError
from backend.store.database import Database
from backend.store.reviews import Reviewable, ReviewRow, Reviews

CHUNK = 500
_RULINGS = ", ".join(ruling.value for ruling in Ruling)


class Rulings:
    """The rulings of a workspace.

    Args:
        db: The workspace's database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._reviews = Reviews(db)

    def add(
        self,
        prediction_id: int,
        ruling: str,
        *,
        relabel: str | None = None,
        note: str = "",
        tags: Sequence[str] = (),
        reviewer: str,
        token: str | None = None,
    ) -> ReviewRow:
        """Record one ruling, on the disk when this returns.

        Args:
            ruling: ``accept``, ``reject``, ``relabel``, ``flag`` or ``undo``.
            relabel: The new label, relative to the prediction's shown order; for ``relabel`` only.
                :func:`backend.domain.rulings.relabel_dataset_order` converts from dataset order.
            token: The client's own id: sending it again gives the first row back.

        Raises:
            ReviewError: The ruling makes no sense, there is nothing to undo, or the token belongs
                to a ruling on another prediction.
            NotFound: There is no such prediction.
        """
        kind, side = _checked(ruling, relabel, reviewer, token)
        with self._db.write(durable=True) as connection:
            return self._add(connection, prediction_id, kind, side, note, tags, reviewer, token)

    def add_within(
        self,
        connection: Connection,
        prediction_id: int,
        ruling: str,
        *,
        relabel: str | None = None,
        note: str = "",
        tags: Sequence[str] = (),
        reviewer: str,
        token: str | None = None,
        undoes: str | None = None,
    ) -> tuple[ReviewRow, bool]:
        """Record one ruling inside the caller's transaction; whether it was new comes with it.

        Args:
            undoes: For ``undo``: the token of the ruling to take back, so that nobody takes back
                what somebody else has ruled since. Without it the newest one is taken back.

        Raises:
            ReviewError, NotFound: As :meth:`add`; nothing was written, the transaction can go on.
        """
        kind, side = _checked(ruling, relabel, reviewer, token)
        if known := self._known(connection, prediction_id, token):
            return known, False
        return self._add(
            connection, prediction_id, kind, side, note, tags, reviewer, token, undoes
        ), True

    def add_many(
        self,
        prediction_ids: Iterable[int],
        ruling: str,
        *,
        relabel: str | None = None,
        note: str = "",
        tags: Sequence[str] = (),
        reviewer: str,
        token: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """One ruling on many predictions; committed in chunks, so that nobody waits long.

        Args:
            token: Of the whole act; each row's token is derived from it, so that an act that broke
                off can be sent again, and be undone as one.
            progress: Called with how many are done.

        Returns:
            How many predictions were ruled on.
        """
        kind, side = _checked(ruling, relabel, reviewer, token)
        own = None if token is None else _act_token(token)
        act = Act(
            ruling=kind, relabel=side, note=note, tags=tuple(tags), reviewer=reviewer, token=own
        )
        ids = iter(prediction_ids)
        count = 0
        while chunk := list(islice(ids, CHUNK)):
            with self._db.write(durable=True) as connection:
                if kind is Ruling.UNDO:
                    for prediction_id in chunk:
                        each = None if own is None else f"{own}{prediction_id}"
                        self._add(connection, prediction_id, kind, None, note, tags, reviewer, each)
                else:
                    rule(connection, self._reviews, act, chunk)
            count += len(chunk)
            if progress:
                progress(count)
        return count

    def undo_act(
        self, token: str, *, reviewer: str, progress: Callable[[int], None] | None = None
    ) -> tuple[int, int]:
        """Take back what one call of :meth:`add_many` did; committed in chunks.

        A prediction on which somebody has ruled since keeps that ruling. Calling it again goes on
        with what is left.

        Returns:
            How many rulings were taken back, and how many were left because of newer ones.
        """
        undone = left = 0
        after = ""
        while True:
            with self._db.write(durable=True) as connection:
                rows = self._reviews.of_act(connection, _act_token(token), after, CHUNK)
                taken, kept = undo(connection, self._reviews, rows, reviewer)
            undone, left = undone + taken, left + kept
            if progress:
                progress(undone + left)
            if len(rows) < CHUNK:
                return undone, left
            after = rows[-1].token or ""

    def has_ruled(
        self, connection: Connection, prediction_id: int, reviewer: str, since: float
    ) -> bool:
        """Whether a ruling that this reviewer made since then is in force."""
        live = self._reviews.live(connection, [prediction_id]).get(prediction_id, [])
        return any(row.reviewer == reviewer and row.created_at >= since for row in live)

    def history(self, prediction_id: int) -> list[ReviewRow]:
        """Every row about a prediction, oldest first, undone ones and undos included."""
        return self._reviews.history(prediction_id)

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
                "token": _token_of(run_id, row["id"], row["token"], row["created_at"]),
                "undoes": None
                if row["undoes"] is None
                else _token_of(
                    run_id, row["undoes"], row["undone_token"], row["undone_created_at"]
                ),
                "created_at": row["created_at"],
            }

    def import_rows(
        self, run_id: int, rows: Iterable[str | Mapping[str, Any]], *, reviewer: str | None = None
    ) -> int:
        """Record rulings from JSON lines, all or none.

        Args:
            rows: Lines of JSON, or mappings: ``key`` or ``index``, ``order``, ``sample`` (0),
                ``ruling``, ``relabel``, ``note``, ``tags``, ``reviewer``, ``token``, ``undoes``
                (the token of what an undo takes back; else the newest). A row without a token gets
                one from its content, so that a file can be imported twice.
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
            raise ReviewError("note must be a text and tags a list of texts")
        if not all(isinstance(tag, str) for tag in tags):
            raise ReviewError("tags must be a list of texts")
        if token is None:
            names = ("key", "index", "order", "sample", "ruling", "relabel", "note", "tags")
            content = _digest(["import", run_id, who, *(row.get(name) for name in names)])
            seen[content] += 1
            token = content if seen[content] == 1 else _digest([content, seen[content]])
        kind, side = _checked(str(row.get("ruling")), relabel, who, token)
        prediction_id = self._find(connection, run_id, row)
        if self._known(connection, prediction_id, token):
            return False
        undoes = row.get("undoes")
        if undoes is not None and not isinstance(undoes, str):
            raise ReviewError("undoes must be the token of the ruling that was taken back")
        self._add(connection, prediction_id, kind, side, note, tags, who, token, undoes)
        return True

    def _find(self, connection: Connection, run_id: int, row: Mapping[str, Any]) -> int:
        key, index = row.get("key"), row.get("index")
        order, sample = row.get("order", Order.DATASET.value), row.get("sample", 0)
        if key is None and index is None:
            raise ReviewError("neither key nor index names the pair")
        if order not in {item.value for item in Order}:
            raise ReviewError(f"order {order!r} is neither dataset nor swapped")
        if type(sample) is not int or (key is None and type(index) is not int):
            raise ReviewError("index and sample must be whole numbers")
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

    def _known(
        self, connection: Connection, prediction_id: int, token: str | None
    ) -> ReviewRow | None:
        known = None if token is None else self._reviews.by_token(connection, token)
        if known is not None and known.prediction_id != prediction_id:
            raise ReviewError(
                f"token {token!r} belongs to a ruling on prediction {known.prediction_id}",
                hint="use a token of its own for each ruling",
            )
        return known

    def _add(
        self,
        connection: Connection,
        prediction_id: int,
        ruling: Ruling,
        relabel: Preference | None,
        note: str,
        tags: Sequence[str],
        reviewer: str,
        token: str | None,
        undoes: str | None = None,
    ) -> ReviewRow:
        if known := self._known(connection, prediction_id, token):
            return known
        verdict = self._reviews.verdicts_of(connection, [prediction_id]).get(prediction_id)
        if verdict is None:
            raise NotFound(f"there is no prediction {prediction_id}")
        live = self._reviews.live(connection, [prediction_id]).get(prediction_id, [])
        if ruling is Ruling.UNDO and not live:
            raise ReviewError(f"prediction {prediction_id} has no ruling to undo")
        undone = _undone(live, undoes) if ruling is Ruling.UNDO else None
        review = self._reviews.append(
            connection,
            verdict,
            ruling=ruling.value,
            relabel=None if relabel is None else relabel.value,
            note=note,
            tags=tags,
            reviewer=reviewer,
            replaced=replaced(verdict, live),
            undoes=undone.id if undone else None,
            token=token,
        )
        stack = [row for row in live if row is not undone] if undone else [*live, review]
        self._settle(connection, verdict, stack)
        return review

    def _settle(
        self, connection: Connection, verdict: Reviewable, stack: Sequence[ReviewRow]
    ) -> None:
        top = in_force(stack)
        effective = effective_of(verdict, top)
        self._reviews.set_verdict(connection, verdict.prediction_id, top, effective)


def _undone(live: Sequence[ReviewRow], token: str | None) -> ReviewRow:
    if token is None:
        return live[-1]
    for row in live:
        if row.token == token:
            return row
    raise ReviewError("this ruling was taken back already", hint="reload the page")


def _checked(
    ruling: str, relabel: Any, reviewer: str, token: Any
) -> tuple[Ruling, Preference | None]:
    try:
        kind = Ruling(ruling)
    except ValueError as error:
        raise ReviewError(f"{ruling!r} is no ruling", hint=f"one of: {_RULINGS}") from error
    if not reviewer.strip():
        raise ReviewError("a ruling needs a reviewer")
    if token is not None and (not isinstance(token, str) or not 0 < len(token) <= 64):
        raise ReviewError("a token is a text of 1 to 64 characters")
    if (kind is Ruling.RELABEL) != (relabel is not None):
        raise ReviewError(
            f"{kind.value} {'needs a new label' if relabel is None else 'takes no new label'}",
            hint="relabel, and only relabel, names first, second or tie of the shown order",
        )
    try:
        return kind, None if relabel is None else Preference(relabel)
    except ValueError as error:
        raise ReviewError(f"{relabel!r} is no label", hint="first, second or tie") from error


def _token_of(run_id: int, review_id: int, token: str | None, created_at: float) -> str:
    return token or _digest(["review", run_id, review_id, created_at])


def _mapping(raw: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(raw, Mapping):
        return raw
    try:
        row = json.loads(raw)
    except (TypeError, ValueError) as error:
        raise ReviewError(f"invalid JSON ({error})", hint="one JSON object a line") from error
    if not isinstance(row, dict):
        raise ReviewError("is no JSON object", hint="one JSON object a line")
    return row


def _act_token(token: str) -> str:
    """What the tokens of an act's rows begin with; the prediction's id follows."""
    return f"act-{_digest([token])[:32]}:"


def _digest(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
