"""What a review queue is made of."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backend.domain.reading import Flaw, flaw_mask
from backend.errors import ReviewError
from backend.store.picks import Picks

MOST_ITEMS = 100_000
"""Items of one queue: some months of reviewing. What is left over makes the next queue."""


class QueueKind(StrEnum):
    """What a queue is made of."""

    UNREVIEWED = "unreviewed"
    AUDIT_ACCEPTED = "audit_accepted"
    """A random sample of what the filter accepted, to measure its precision."""
    AUDIT_REJECTED = "audit_rejected"
    WIDE_MARGIN = "wide_margin"
    """Rejected although the judge was sure: its mistake, or the label's."""
    SUSPECT_LABELS = "suspect_labels"
    """Samples, orders or runs agree with each other against the recorded preference, which nobody has
    looked at yet."""
    FLAWED = "flawed"
    FLAGGED = "flagged"
    FILTER = "filter"
    """What a filter in Browse found; its ids are given."""


RANDOM_KINDS = frozenset({QueueKind.AUDIT_ACCEPTED, QueueKind.AUDIT_REJECTED})
"""Samples that say something about what they were drawn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQueue:
    """What to make a queue of.

    Attributes:
        run_ids: Runs to choose from; all when empty.
        size: Of an audit sample.
        seed: Of an audit sample: the same seed gives the same sample of the same predictions.
        margin: The least margin of ``wide_margin``.
        votes: How many readable answers a suspect pair needs.
        agreement: The share of them that must be against its label.
        flaws: For ``flawed``; any when empty.
        blind: Verdict and label stay hidden until the reviewer has chosen.
        rulings_wanted: 1, or 2 for independent rulings by two reviewers.
        listed: Stands in the list of queues. One that was only made to look at a pair does not.
    """

    kind: QueueKind
    title: str
    run_ids: tuple[int, ...] = ()
    size: int = 200
    seed: int = 0
    margin: float = 3.0
    votes: int = 2
    agreement: float = 1.0
    flaws: tuple[Flaw, ...] = ()
    blind: bool = False
    rulings_wanted: int = 1
    listed: bool = True


NOTHING = {
    QueueKind.UNREVIEWED: "everything has been reviewed; make an audit instead",
    QueueKind.AUDIT_ACCEPTED: "the filter accepted nothing in these runs",
    QueueKind.AUDIT_REJECTED: "the filter rejected nothing in these runs",
    QueueKind.WIDE_MARGIN: "try a smaller margin",
    QueueKind.SUSPECT_LABELS: "needs several samples, orders or runs that agree on a pair nobody ruled on",
    QueueKind.FLAWED: "no text in these runs has these flaws",
    QueueKind.FLAGGED: "nobody has flagged anything that is not settled",
    QueueKind.FILTER: "change the filter",
}
"""By kind: what to do about an empty queue."""


def settings(new: NewQueue) -> dict[str, Any]:
    """What the queue keeps of its kind's own settings."""
    match new.kind:
        case QueueKind.AUDIT_ACCEPTED | QueueKind.AUDIT_REJECTED:
            return {"seed": new.seed, "size": new.size}
        case QueueKind.WIDE_MARGIN:
            return {"margin": new.margin}
        case QueueKind.SUSPECT_LABELS:
            return {"votes": new.votes, "agreement": new.agreement}
        case QueueKind.FLAWED:
            return {"flaws": [flaw.value for flaw in new.flaws]}
        case _:
            return {}


def check(new: NewQueue, *, has_ids: bool) -> None:
    """Refuse settings that make no sense.

    Raises:
        ReviewError: Names the setting.
    """
    if (new.kind is QueueKind.FILTER) != has_ids:
        raise ReviewError("a queue of a filter, and no other, is given its predictions")
    if new.rulings_wanted not in (1, 2):
        raise ReviewError("a queue asks for one ruling or for two")
    if not 1 <= new.size <= MOST_ITEMS:
        raise ReviewError(f"a sample has 1 to {MOST_ITEMS} items")
    if new.votes < 1 or not 0.5 < new.agreement <= 1:
        raise ReviewError("suspect labels need at least one vote, and more than half of them")


def chosen(picks: Picks, new: NewQueue) -> Iterable[int]:
    """Ids of the predictions that belong into the queue, in the order of reviewing."""
    match new.kind:
        case QueueKind.UNREVIEWED:
            return picks.unreviewed(new.run_ids)
        case QueueKind.AUDIT_ACCEPTED:
            return _sample(picks, new, "accepted")
        case QueueKind.AUDIT_REJECTED:
            return _sample(picks, new, "rejected")
        case QueueKind.WIDE_MARGIN:
            return picks.wide_margin(new.run_ids, new.margin, MOST_ITEMS + 1)
        case QueueKind.SUSPECT_LABELS:
            return picks.suspect_labels(new.run_ids, new.votes, new.agreement, MOST_ITEMS + 1)
        case QueueKind.FLAWED:
            return picks.flawed(new.run_ids, flaw_mask(new.flaws or tuple(Flaw)))
        case _:
            return picks.flagged(new.run_ids)


def _sample(picks: Picks, new: NewQueue, decision: str) -> Sequence[int]:
    # Eight bytes a prediction; and in random order, so that an audit may stop anywhere.
    ids = array("q", picks.decided(new.run_ids, decision))
    return random.Random(new.seed).sample(ids, min(new.size, len(ids)))
