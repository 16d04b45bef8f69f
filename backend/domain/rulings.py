"""What a person's ruling does to a prediction."""

from __future__ import annotations

from enum import StrEnum

from backend.domain.pairs import Preference


class Ruling(StrEnum):
    """What a person can say about a prediction."""

    ACCEPT = "accept"
    REJECT = "reject"
    RELABEL = "relabel"
    FLAG = "flag"
    NOTE = "note"
    UNDO = "undo"


SETTLING = frozenset({Ruling.ACCEPT, Ruling.REJECT, Ruling.RELABEL})
"""Rulings that replace the filter's decision. A flag only asks for another look.

A note is said beside one's own ruling that stands already. It decides nothing and repeats nothing, so
that it takes no precedence over what somebody else has ruled in the meantime.
"""


def effective_decision(filter_decision: str, answer: str | None, ruling: str | None, relabel: str | None) -> str:
    """The decision that counts: the newest settling ruling's, else the filter's.

    Args:
        filter_decision: ``accepted`` or ``rejected``.
        answer: The judge's answer, relative to the shown order; ``None`` when unreadable.
        ruling: The newest ruling still in force, ``None`` when there is none.
        relabel: The new label of a relabel, relative to the shown order.

    Returns:
        ``accepted`` or ``rejected``. A relabel keeps the sample only if the judge agrees with the
        new label, because its reasoning argues for its answer; a tie never trains.
    """
    if ruling == Ruling.ACCEPT:
        return "accepted"
    if ruling == Ruling.REJECT:
        return "rejected"
    if ruling == Ruling.RELABEL:
        agrees = answer == relabel and relabel != Preference.TIE
        return "accepted" if agrees else "rejected"
    return filter_decision


def why_not_trainable(answer: str | None) -> str | None:
    """Why a prediction with this answer makes no training row, whatever is decided about it.

    Returns:
        A phrase; ``None`` where it does make one.
    """
    if answer is None:
        return "without a readable answer"
    if answer == Preference.TIE:
        return "naming no better side"
    return None
