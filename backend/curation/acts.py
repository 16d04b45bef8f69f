"""One ruling on many predictions at once, and taking the whole of it back.

Works on chunks of predictions, each with a handful of statements, so that a million rulings are a
matter of seconds. What it stores is what :class:`backend.curation.rulings.Rulings` would store one by
one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from backend.curation.tokens import new_token
from backend.domain.pairs import Preference
from backend.domain.rulings import SETTLING, Ruling, effective_decision, why_not_trainable
from backend.errors import NotFound
from backend.store.reviews import Reviewable, ReviewRow, Reviews


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is ruled, by whom.

    Attributes:
        token: Of the whole act, what each row's own token begins with.
    """

    ruling: Ruling
    relabel: Preference | None
    note: str
    tags: tuple[str, ...]
    reviewer: str
    token: str


def in_force(stack: Sequence[ReviewRow]) -> ReviewRow | None:
    """The ruling that counts among those not undone, oldest first.

    A flag on top of a settled prediction does not hide what settled it: re-deciding a run reads
    ``verdicts.ruling`` to know which decisions are a person's. Notes do not count.
    """
    said = without_notes(stack)
    settling = [row for row in said if row.ruling in SETTLING]
    return settling[-1] if settling else (said[-1] if said else None)


def without_notes(stack: Sequence[ReviewRow]) -> list[ReviewRow]:
    """What rules something, be it a flag; in the same order."""
    return [row for row in stack if row.ruling != Ruling.NOTE]


def effective_of(verdict: Reviewable, top: ReviewRow | None) -> str:
    """The decision that counts with this ruling in force."""
    return effective_decision(
        verdict.decision, verdict.answer, top.ruling if top else None, top.relabel if top else None
    )


def rule(connection: Connection, store: Reviews, act: Act, ids: Sequence[int]) -> int:
    """Add the act's ruling to these predictions, except where it was stored before.

    Returns:
        How many of them have it now. Accepting leaves those out that name no better side.

    Raises:
        NotFound: There is no such prediction; nothing was written.
    """
    wanted = list(dict.fromkeys(ids))
    verdicts = store.lock(connection, wanted)
    missing = next((one for one in wanted if one not in verdicts), None)
    if missing is not None:
        raise NotFound(f"there is no prediction {missing}")
    if act.ruling is Ruling.ACCEPT:
        wanted = [one for one in wanted if why_not_trainable(verdicts[one].answer) is None]
    tokens = {one: f"{act.token}{one}" for one in wanted}
    known = store.known_tokens(connection, list(tokens.values()))
    fresh = [one for one in wanted if tokens[one] not in known]
    live = store.live(connection, fresh)
    opened = store.said_blind(connection, act.reviewer, fresh)
    now = time.time()
    new, states = [], []
    for one in fresh:
        verdict, stack = verdicts[one], live.get(one, [])
        review = _review(act, verdict, stack, now, token=tokens[one], opened=one in opened)
        new.append(review)
        top = in_force([*stack, review])
        states.append((one, top, effective_of(verdict, top)))
    store.append_many(connection, new)
    store.set_verdicts(connection, states)
    return len(wanted)


def undo(connection: Connection, store: Reviews, rows: Sequence[ReviewRow], reviewer: str) -> tuple[int, int]:
    """Take back those rows of an act that are the newest on their prediction.

    Returns:
        How many were taken back, and how many were left because somebody has ruled since.
    """
    ids = [row.prediction_id for row in rows]
    verdicts = store.lock(connection, ids)
    live = store.live(connection, ids)
    opened = store.said_blind(connection, reviewer, ids)
    now = time.time()
    new, states, left = [], [], 0
    for row in rows:
        stack = live.get(row.prediction_id, [])
        if not any(one.id == row.id for one in stack):
            continue  # taken back already
        if without_notes(stack)[-1].id != row.id:
            left += 1
            continue
        verdict = verdicts[row.prediction_id]
        token = new_token()
        act = Act(ruling=Ruling.UNDO, relabel=None, note="", tags=(), reviewer=reviewer, token=token)
        seen = row.prediction_id in opened
        new.append(_review(act, verdict, stack, now, token=token, opened=seen, undoes=row.id))
        top = in_force([one for one in stack if one.id != row.id])
        states.append((row.prediction_id, top, effective_of(verdict, top)))
    store.append_many(connection, new)
    store.set_verdicts(connection, states)
    return len(new), left


def replaced(verdict: Reviewable, stack: Sequence[ReviewRow]) -> dict[str, object]:
    """What a new ruling replaces, as it is stored beside it."""
    return {"effective": verdict.effective, "ruling": verdict.ruling, "review_id": stack[-1].id if stack else None}


def _review(
    act: Act,
    verdict: Reviewable,
    stack: Sequence[ReviewRow],
    now: float,
    *,
    token: str,
    opened: bool,
    undoes: int | None = None,
) -> ReviewRow:
    return ReviewRow(
        id=0,  # the database's to give
        prediction_id=verdict.prediction_id,
        run_id=verdict.run_id,
        ruling=act.ruling.value,
        relabel=None if act.relabel is None else act.relabel.value,
        shown_order=verdict.shown_order,
        note=act.note,
        tags=act.tags,
        reviewer=act.reviewer,
        replaced=replaced(verdict, stack),
        undoes=undoes,
        token=token,
        created_at=now,
        unblinded=True if opened else None,
    )
