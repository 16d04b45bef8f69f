"""Recording what people decide. Rows are only ever added; undo is another row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from backend.curation.acts import effective_of, in_force, replaced, without_notes
from backend.curation.tokens import new_token
from backend.domain.pairs import Preference
from backend.domain.rulings import Ruling, why_not_trainable
from backend.errors import NotFound, ReviewError
from backend.foreign_text import quoted
from backend.hints import Hint
from backend.store.database import Database
from backend.store.reviews import Reviewable, ReviewRow, Reviews
from backend.store.together import write_together

LONGEST_NAME = 200
"""Characters of a reviewer's name, as the table has room for."""
_RULINGS = ", ".join(ruling.value for ruling in Ruling)


class Rulings:
    """The rulings of a workspace.

    Args:
        db: The workspace's database.
        reviews: Through which rulings are read and written, where many are at once.
    """

    def __init__(self, db: Database, reviews: Reviews | None = None) -> None:
        self._db = db
        self._reviews = reviews or Reviews(db)

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
            ruling: ``accept``, ``reject``, ``relabel``, ``flag``, ``note`` or ``undo``. A ``note``
                says something beside the reviewer's own ruling, and changes no decision.
            relabel: The new label, relative to the prediction's shown order; for ``relabel`` only.
                :meth:`backend.domain.pairs.Order.turn` makes it from one in dataset order.
            token: The client's own id: sending it again gives the first row back.

        Raises:
            ReviewError: The ruling makes no sense, there is nothing to undo, nothing to train on in
                what is accepted, no ruling that a note could stand beside, or the token belongs to a
                ruling on another prediction.
            NotFound: There is no such prediction.
        """

        def work(connection: Connection) -> ReviewRow:
            return self.add_within(
                connection, prediction_id, ruling, relabel=relabel, note=note, tags=tags, reviewer=reviewer, token=token
            )[0]

        return write_together(self._db, work, durable=True)

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
        queue_id: int | None = None,
        unblinded: bool | None = None,
    ) -> tuple[ReviewRow, bool]:
        """Record one ruling inside the caller's transaction; whether it was new comes with it.

        Args:
            undoes: For ``undo``: the token of the ruling to take back, so that nobody takes back
                what somebody else has ruled since. Without it the newest one is taken back.
            queue_id: The queue in whose room it was made.
            unblinded: Whether the verdict had opened to the reviewer; see
                :class:`backend.store.reviews.ReviewRow`. What is not said is looked up.

        Raises:
            ReviewError, NotFound: As :meth:`add`; nothing was written, the transaction can go on.
        """
        kind, side = checked(ruling, relabel, reviewer, token, note=note, tags=tags)
        verdict = self._reviews.lock(connection, [prediction_id]).get(prediction_id)
        # Behind the lock: whoever sends the same token at the same time has been waited for.
        if known := self._known(connection, prediction_id, token):
            return known, False
        if verdict is None:
            raise NotFound(f"there is no prediction {prediction_id}")
        return self._add(
            connection, verdict, kind, side, note, tags, reviewer, token, undoes, queue_id, unblinded
        ), True

    def has_ruled(self, connection: Connection, prediction_id: int, reviewer: str, since: float) -> bool:
        """Whether a ruling that this reviewer made since then is in force."""
        live = self._reviews.live(connection, [prediction_id]).get(prediction_id, [])
        return any(row.reviewer == reviewer and row.created_at >= since for row in without_notes(live))

    def history(self, prediction_id: int) -> list[ReviewRow]:
        """Every row about a prediction, oldest first, undone ones and undos included."""
        return self._reviews.history(prediction_id)

    def _known(self, connection: Connection, prediction_id: int, token: str | None) -> ReviewRow | None:
        known = None if token is None else self._reviews.by_token(connection, token)
        if known is not None and known.prediction_id != prediction_id:
            raise ReviewError(
                f"token {quoted(token)} belongs to a ruling on prediction {known.prediction_id}",
                hint="use a token of its own for each ruling",
            )
        return known

    def _add(
        self,
        connection: Connection,
        verdict: Reviewable,
        ruling: Ruling,
        relabel: Preference | None,
        note: str,
        tags: Sequence[str],
        reviewer: str,
        token: str | None,
        undoes: str | None,
        queue_id: int | None,
        unblinded: bool | None,
    ) -> ReviewRow:
        prediction_id = verdict.prediction_id
        live = self._reviews.live(connection, [prediction_id]).get(prediction_id, [])
        if ruling is Ruling.UNDO and not live:
            raise ReviewError(
                f"prediction {prediction_id} has no ruling to undo",
                hint=Hint("{LIST_RULINGS} lists the rulings", on=verdict.run_id),
            )
        if ruling is Ruling.NOTE and reviewer not in {one.reviewer for one in without_notes(live)}:
            raise ReviewError(
                f"prediction {prediction_id} has no ruling of {reviewer} for a note to stand beside",
                hint="rule on it; the note goes with the ruling",
            )
        problem = why_not_trainable(verdict.answer) if ruling is Ruling.ACCEPT else None
        if problem:
            raise ReviewError(
                f"prediction {prediction_id}, {problem}, cannot be accepted: there is nothing to train on in it",
                hint="reject it, or relabel it",
            )
        undone = _undone(live, undoes) if ruling is Ruling.UNDO else None
        if unblinded is None and ruling is not Ruling.NOTE:
            opened = self._reviews.said_blind(connection, reviewer, [prediction_id])
            unblinded = True if opened else None
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
            token=token or new_token(),
            queue_id=queue_id,
            unblinded=unblinded,
        )
        stack = [row for row in live if row is not undone] if undone else [*live, review]
        self._settle(connection, verdict, stack)
        return review

    def _settle(self, connection: Connection, verdict: Reviewable, stack: Sequence[ReviewRow]) -> None:
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


def checked(
    ruling: str, relabel: Any, reviewer: str, token: Any, *, note: str = "", tags: Sequence[str] = ()
) -> tuple[Ruling, Preference | None]:
    """Ruling and new label of what a client sent.

    Raises:
        ReviewError: They make no sense, nobody is named, or a text holds what cannot be stored: the
            same on every database, so that a workspace can move.
    """
    try:
        kind = Ruling(ruling)
    except ValueError as error:
        raise ReviewError(f"{quoted(ruling)} is no ruling", hint=f"one of: {_RULINGS}") from error
    if not reviewer.strip():
        raise ReviewError("a ruling needs a reviewer", hint="say who decided")
    if len(reviewer) > LONGEST_NAME:
        raise ReviewError(f"a reviewer's name has at most {LONGEST_NAME} characters", hint="use a shorter one")
    if token is not None and (not isinstance(token, str) or not 0 < len(token) <= 64):
        raise ReviewError("a token is a text of 1 to 64 characters", hint="leave it out, and one is made of the row")
    check_texts({"token": token or "", "reviewer's name": reviewer, "note": note})
    for number, tag in enumerate(tags, start=1):
        check_texts({f"tag {number}": tag})
    if (kind is Ruling.RELABEL) != (relabel is not None):
        raise ReviewError(
            f"{kind.value} {'needs a new label' if relabel is None else 'takes no new label'}",
            hint="relabel, and only relabel, names first, second or tie of the shown order",
        )
    try:
        return kind, None if relabel is None else Preference(relabel)
    except ValueError as error:
        raise ReviewError(f"{quoted(relabel)} is no label", hint="first, second or tie") from error


def check_texts(texts: Mapping[str, str]) -> None:
    """Raise where a text that a person wrote holds a character that not every database stores.

    Args:
        texts: What they wrote, by the name of its field.

    Raises:
        ReviewError: Names the field and the character.
    """
    for name, text in texts.items():
        if "\0" in text:
            raise ReviewError(
                f"the {name} contains a NUL character", hint="remove it; a text ends there for many programs"
            )
        if not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text):
            raise ReviewError(
                f"the {name} contains half of a character (a lone surrogate)",
                hint="remove it, or paste the text again; it must be valid Unicode",
            )
