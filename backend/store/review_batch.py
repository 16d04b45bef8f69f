"""Reviews of many predictions, read at once and written at once.

To whoever rules it is :class:`~backend.store.reviews.Reviews`; each statement is made for hundreds of
rulings instead of for one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from backend.store.database import Database, insert_rows
from backend.store.reviews import Reviewable, ReviewRow, Reviews
from backend.store.schema import reviews


class ReviewBatch(Reviews):
    """What was loaded, with what has been added to it since. It knows nothing else.

    Rows that are not written yet have negative ids.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._verdicts: dict[int, Reviewable] = {}
        self._live: dict[int, list[ReviewRow]] = {}
        self._opened: set[tuple[str, int]] = set()
        self._tokens: dict[str, ReviewRow | None] = {}
        self._new: list[ReviewRow] = []
        self._states: dict[int, tuple[ReviewRow | None, str]] = {}

    def load(
        self, connection: Connection, prediction_ids: Collection[int], tokens: Collection[str], *, lock: bool
    ) -> None:
        """Read what is not known yet.

        Args:
            lock: Hold these predictions' decisions until the transaction ends, as
                :meth:`Reviews.lock` does.
        """
        fresh = sorted(set(prediction_ids) - self._verdicts.keys())
        unknown = sorted(set(tokens) - self._tokens.keys())
        verdicts = super().lock(connection, fresh) if lock else self.verdicts_of(connection, fresh)
        rows, known = (self.of_predictions(connection, fresh), self.by_tokens(connection, unknown))
        # Only now, so that a load that was cut off can be repeated.
        self._verdicts.update(verdicts)
        for row in rows:
            self._note(row)
        self._tokens.update({token: known.get(token) for token in unknown})

    def _note(self, row: ReviewRow) -> None:
        stack = self._live.setdefault(row.prediction_id, [])
        if row.undoes is None:
            stack.append(row)
        else:
            self._live[row.prediction_id] = [one for one in stack if one.id != row.undoes]
        if row.unblinded is not None:
            self._opened.add((row.reviewer, row.prediction_id))

    def by_token(self, connection: Connection, token: str) -> ReviewRow | None:  # noqa: ARG002
        return self._tokens.get(token)

    def lock(
        self,
        connection: Connection,  # noqa: ARG002
        prediction_ids: Iterable[int],
    ) -> dict[int, Reviewable]:
        return {one: self._verdicts[one] for one in prediction_ids if one in self._verdicts}

    def live(
        self,
        connection: Connection,  # noqa: ARG002
        prediction_ids: Sequence[int],
    ) -> dict[int, list[ReviewRow]]:
        return {one: list(self._live.get(one, ())) for one in prediction_ids}

    def said_blind(
        self,
        connection: Connection,  # noqa: ARG002
        reviewer: str,
        prediction_ids: Sequence[int],
    ) -> set[int]:
        return {one for one in prediction_ids if (reviewer, one) in self._opened}

    def append(
        self,
        connection: Connection,  # noqa: ARG002
        verdict: Reviewable,
        **values: Any,
    ) -> ReviewRow:
        row = ReviewRow(
            id=-1 - len(self._new),
            prediction_id=verdict.prediction_id,
            run_id=verdict.run_id,
            shown_order=verdict.shown_order,
            created_at=time.time(),
            **{**values, "tags": tuple(values["tags"])},
        )
        self._new.append(row)
        self._note(row)
        if row.token is not None:
            self._tokens[row.token] = row
        return row

    def set_verdict(
        self,
        connection: Connection,  # noqa: ARG002
        prediction_id: int,
        top: ReviewRow | None,
        effective: str,
    ) -> None:
        self._states[prediction_id] = (top, effective)
        self._verdicts[prediction_id] = replace(
            self._verdicts[prediction_id], ruling=top.ruling if top else None, effective=effective
        )

    def flush(self, connection: Connection) -> None:
        """Write what was added, in its order. The batch is of no use afterwards."""
        ids: dict[int | None, int] = {}
        wave: dict[int, ReviewRow] = {}
        for row in self._new:
            named = {row.undoes, row.replaced["review_id"]} & wave.keys()
            if named:  # its id is to be had first
                insert_rows(connection, reviews, [_values(one, ids) for one in wave.values()])
                tokens = {str(one.token): one.id for one in wave.values()}
                made = self.by_tokens(connection, sorted(tokens))
                ids.update({tokens[token]: one.id for token, one in made.items()})
                wave.clear()
            wave[row.id] = row
        insert_rows(connection, reviews, [_values(one, ids) for one in wave.values()])
        self.set_verdicts(connection, [(one, *state) for one, state in self._states.items()])


def _values(row: ReviewRow, ids: dict[int | None, int]) -> dict[str, Any]:
    before = row.replaced["review_id"]
    return {
        "prediction_id": row.prediction_id,
        "run_id": row.run_id,
        "ruling": row.ruling,
        "relabel": row.relabel,
        "shown_order": row.shown_order,
        "note": row.note,
        "tags": {"tags": list(row.tags)},
        "reviewer": row.reviewer,
        "replaced": {**row.replaced, "review_id": ids.get(before, before)},
        "undoes": ids.get(row.undoes, row.undoes),
        "token": row.token,
        "created_at": row.created_at,
        "queue_id": row.queue_id,
        "unblinded": row.unblinded,
    }
