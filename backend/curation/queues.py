"""Review queues: made once from a choice of predictions, then handed out item by item."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection

from backend.curation.kinds.base import MOST_ITEMS
from backend.curation.kinds.registry import KINDS
from backend.curation.rulings import Rulings, check_texts
from backend.domain.rulings import Ruling
from backend.errors import ReviewError, WinnowError
from backend.options import filled
from backend.store.blindness import Blindness
from backend.store.claims import Claims, Place, Slot
from backend.store.database import Database
from backend.store.picks import Picks
from backend.store.queues import QueueRow, QueueRows
from backend.store.reviews import Reviews
from backend.store.together import write_together

__all__ = ["MOST_ITEMS", "Handed", "NewQueue", "Queues", "Sent"]

CLAIM_S = 150.0
"""How long a pair stays with a reviewer whose page shows no sign of life; it shows one a minute."""
AWAY_S = 600.0
"""How long it stays with one who looks at something else: a page behind another is silent."""
_NOT_SOONER_S = 15.0
_CHUNK = 5_000
_LEAST_HANDED_OUT = 8
_LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQueue:
    """What to make a queue of.

    Attributes:
        kind: A name of :data:`~backend.curation.kinds.registry.KINDS`.
        options: The kind's own; what is left out has its default.
        run_ids: Runs to choose from; all when empty.
        blind: Verdict and label stay hidden until the reviewer has chosen.
        rulings_wanted: 1, or 2 for independent rulings by two reviewers.
        listed: Stands in the list of queues. One that was only made to look at a pair does not.
    """

    kind: str
    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    run_ids: tuple[int, ...] = ()
    blind: bool = False
    rulings_wanted: int = 1
    listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """Items handed to a reviewer, theirs until ``expires_at``."""

    slots: list[Slot]
    expires_at: float
    at_end: bool
    """Nothing more is free behind these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A ruling as a reviewer's browser sent it. ``relabel`` is relative to the shown order."""

    token: str
    queue_id: int
    position: int
    prediction_id: int
    ruling: str
    relabel: str | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    undoes: str | None = None
    unblinded: bool | None = None
    """Where no blind queue holds the prediction: whether the reviewer, who chose to review blind, had
    seen the verdict."""


class Queues:
    """The review queues of a workspace."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rows = QueueRows(db)
        self._claims = Claims(db)
        self._picks = Picks(db, MOST_ITEMS + 1)
        self._rulings = Rulings(db)
        self._reviews = Reviews(db)
        self._blindness = Blindness(db)

    def make(self, new: NewQueue, *, created_by: str, ids: Iterable[int] | None = None) -> QueueRow:
        """Make a queue; at most :data:`MOST_ITEMS` items, stored in chunks.

        Args:
            ids: The predictions of a kind that chooses none, in the order in which to review them.

        Raises:
            UsageError: There is no such kind.
            ReviewError: The choice makes no sense, or nothing matches it.
        """
        kind = KINDS.named(new.kind)
        if (kind.pick is None) != (ids is not None):
            raise ReviewError("a queue of a filter, and no other, is given its predictions")
        if new.rulings_wanted not in (1, 2):
            raise ReviewError("a queue asks for one ruling or for two")
        options = filled(kind.options, new.options, of="a queue's", error=ReviewError)
        check_texts({"title": new.title})
        spec: dict[str, Any] = {
            "runs": list(new.run_ids),
            "blind": new.blind,
            "rulings_wanted": new.rulings_wanted,
            "listed": new.listed,
            **options.model_dump(mode="json"),
        }
        found = iter(kind.pick(self._picks, new.run_ids, options) if kind.pick else ids or ())
        first = list(islice(found, _CHUNK))
        if not first:
            raise ReviewError("nothing in this workspace belongs into this queue", hint=kind.nothing)
        title = " ".join(new.title.split())[:_LONGEST_TITLE] or kind.name.replace("_", " ")
        queue_id = self._rows.begin(title=title, kind=kind.name, spec=spec, created_by=created_by)
        try:
            count = self._fill(queue_id, chain(first, found))
            spec["cut_off"] = count == MOST_ITEMS and next(found, None) is not None
            self._rows.finish(queue_id, count, spec)
        except BaseException:
            self._rows.drop(queue_id)
            raise
        return self._rows.get(queue_id)

    def _fill(self, queue_id: int, ids: Iterator[int]) -> int:
        seen: set[int] = set()
        count = 0
        while count < MOST_ITEMS and (chunk := list(islice(ids, min(_CHUNK, MOST_ITEMS - count)))):
            fresh = [number for number in dict.fromkeys(chunk) if number not in seen]
            seen.update(fresh)
            if fresh:
                self._rows.append(queue_id, count, fresh)
            count += len(fresh)
        return count

    def get(self, queue_id: int) -> QueueRow:
        """One queue.

        Raises:
            NotFound: There is none.
        """
        return self._rows.get(queue_id)

    def newest(self) -> list[QueueRow]:
        """The newest queues with their progress: those with work in them, then the others."""
        return self._rows.newest()

    def set_closed(self, queue: QueueRow, on: bool) -> None:
        """Put a queue away for everybody, or open it again. Nothing in it is touched."""
        self._rows.set_closed(queue, on)

    def is_closed(self, queue: QueueRow) -> bool:
        """Whether its maker has put it away."""
        return self._rows.is_closed(queue)

    def drop(self, queue_id: int) -> None:
        """Remove a queue. The rulings made in it stay."""
        self._rows.drop(queue_id)

    def progress(self, queue: QueueRow, reviewer: str) -> tuple[int, int, int]:
        """Items done, items this reviewer has ruled on, items now on other reviewers' screens."""
        return self._rows.progress(queue, reviewer)

    def hand_out(self, queue: QueueRow, reviewer: str, *, start: int, count: int, exact: bool = False) -> Handed:
        """Claim the next free items from position ``start`` on.

        Near the queue's end a reviewer gets fewer than asked for, so that one who comes second
        finds something left.

        Args:
            exact: Also hand out the item at ``start`` itself when it is ruled on already, to look
                at it again.
        """
        expires = time.time() + CLAIM_S

        def look(connection: Connection) -> tuple[Handed, list[int]]:
            slots = []
            if exact:
                wanted = self._claims.slot(connection, queue.id, start, reviewer)
                slots = [] if wanted is None else [wanted]
            free = self._claims.open_slots(connection, queue, reviewer, start=start + len(slots), limit=4 * count)
            share = free[: min(count, max(_LEAST_HANDED_OUT, len(free) // 4))]
            handed = [*slots, *share]
            new = [slot.position for slot in handed if not slot.mine and slot.rulings < queue.rulings_wanted]
            at_end = len(share) == len(free)
            return Handed(slots=handed, expires_at=expires, at_end=at_end), new

        def work(connection: Connection) -> Handed:
            self._claims.lock(connection, queue.id)
            handed, new = look(connection)
            self._claims.claim(connection, queue.id, reviewer, new, expires)
            return handed

        # At the end of a queue there is often nothing to claim, and nobody waits to learn that.
        with self._db.read() as connection:
            handed, new = look(connection)
        return write_together(self._db, work) if new else handed

    def ruled_before(self, queue: QueueRow, reviewer: str, *, position: int, count: int) -> list[Slot]:
        """What this reviewer ruled on before ``position``, for going back."""
        return self._claims.ruled_before(queue.id, position, reviewer, count)

    def renew(self, queue: QueueRow, reviewer: str, *, away: bool = False) -> float:
        """Keep the reviewer's items for longer; until when."""
        expires = time.time() + (AWAY_S if away else CLAIM_S)
        # Each ruling brings a sign of life; what was renewed just now needs no write for it.
        if self._claims.must_renew(queue.id, reviewer, expires - _NOT_SOONER_S, expires):
            self._claims.renew(queue.id, reviewer, expires)
        return expires

    def release(self, queue: QueueRow, reviewer: str, before: float) -> None:
        """Give back what was handed out until ``before``."""
        self._claims.release(queue.id, reviewer, before)

    def rule(self, reviewer: str, sent: Sequence[Sent]) -> tuple[list[str], list[tuple[str, WinnowError]]]:
        """Store rulings in their order, in one commit that is on the disk when this returns.

        Sending one again changes nothing. A ruling that makes no sense is refused alone; its
        neighbours are stored. A ruling on what a blind queue holds is marked: the first of a reviewer
        is blind, and opens the verdict to them; whatever they say after that is not. Rulings that
        come together were made before any of them was answered.

        Returns:
            The tokens stored (now or earlier), and those refused with the reason.
        """
        return write_together(self._db, lambda connection: self._rule(connection, reviewer, sent), durable=True)

    def _rule(
        self, connection: Connection, reviewer: str, sent: Sequence[Sent]
    ) -> tuple[list[str], list[tuple[str, WinnowError]]]:
        stored: list[str] = []
        refused: list[tuple[str, WinnowError]] = []
        tokens = {one.token for one in sent}
        self._reviews.lock(connection, [one.prediction_id for one in sent])
        for one in sent:
            try:
                place = self._claims.place(connection, one.queue_id, one.position, reviewer)
                if place is None or place.prediction_id != one.prediction_id:
                    raise ReviewError(
                        f"queue {one.queue_id} has another pair at {one.position + 1}", hint="reload the page"
                    )
                _, new = self._rulings.add_within(
                    connection,
                    one.prediction_id,
                    one.ruling,
                    relabel=one.relabel,
                    note=one.note,
                    tags=one.tags,
                    reviewer=reviewer,
                    token=one.token,
                    undoes=one.undoes,
                    queue_id=one.queue_id,
                    unblinded=self._unblinded(connection, reviewer, one, tokens),
                )
            except WinnowError as error:
                refused.append((one.token, error))
                continue
            if new:
                self._note_progress(connection, reviewer, one, place)
            stored.append(one.token)
        return stored, refused

    def _unblinded(self, connection: Connection, reviewer: str, one: Sent, tokens: set[str]) -> bool | None:
        if one.ruling == Ruling.NOTE:
            return None
        opened = self._blindness.opened(connection, one.prediction_id, reviewer, besides=tokens)
        return one.unblinded if opened is None else opened

    def _note_progress(self, connection: Connection, reviewer: str, one: Sent, place: Place) -> None:
        # Below the ruling that is undone may lie another of the same reviewer in this queue, and what
        # a note stands beside may have been said before there was this queue.
        done = one.ruling not in (Ruling.UNDO, Ruling.NOTE) or self._rulings.has_ruled(
            connection, one.prediction_id, reviewer, since=place.made_at
        )
        if done != place.mine:
            self._claims.set_done(connection, one.queue_id, one.position, reviewer, done=done)
