"""One ruling on many predictions, in chunks, and taking the whole of it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from sqlalchemy import Connection

from backend.curation.acts import Act, rule, undo
from backend.curation.rulings import Rulings, checked
from backend.curation.tokens import act_token, new_token
from backend.domain.rulings import Ruling
from backend.store.database import Database
from backend.store.reviews import ReviewRow, Reviews
from backend.store.together import write_again

CHUNK = 500


class BulkRulings:
    """Rulings on many predictions at once.

    Args:
        db: The workspace's database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._reviews = Reviews(db)
        self._rulings = Rulings(db)

    def add(
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
            How many predictions were ruled on. Accepting skips those whose text names no better side:
            they could not be trained on.
        """
        kind, side = checked(ruling, relabel, reviewer, token, note=note, tags=tags)
        own = act_token(token or new_token())
        act = Act(ruling=kind, relabel=side, note=note, tags=tuple(tags), reviewer=reviewer, token=own)
        ids = iter(prediction_ids)
        count = done = 0
        while chunk := list(islice(ids, CHUNK)):

            def work(connection: Connection, chunk: list[int] = chunk) -> int:
                if kind not in (Ruling.UNDO, Ruling.NOTE):
                    return rule(connection, self._reviews, act, chunk)
                self._reviews.lock(connection, chunk)
                for prediction_id in chunk:  # each looks at what stands there
                    self._rulings.add_within(
                        connection,
                        prediction_id,
                        ruling,
                        note=note,
                        tags=tags,
                        reviewer=reviewer,
                        token=f"{own}{prediction_id}",
                    )
                return len(chunk)

            count += write_again(self._db, work, durable=True)
            done += len(chunk)
            if progress:
                progress(done)
        return count

    def undo(self, token: str, *, reviewer: str, progress: Callable[[int], None] | None = None) -> tuple[int, int]:
        """Take back what one call of :meth:`add` did; committed in chunks.

        A prediction on which somebody has ruled since keeps that ruling. Calling it again goes on
        with what is left.

        Returns:
            How many rulings were taken back, and how many were left because of newer ones.
        """
        undone = left = 0
        after = ""

        def work(connection: Connection) -> tuple[list[ReviewRow], tuple[int, int]]:
            rows = self._reviews.of_act(connection, act_token(token), after, CHUNK)
            return rows, undo(connection, self._reviews, rows, reviewer)

        while True:
            rows, (taken, kept) = write_again(self._db, work, durable=True)
            undone, left = undone + taken, left + kept
            if progress:
                progress(undone + left)
            if len(rows) < CHUNK:
                return undone, left
            after = rows[-1].token or ""
