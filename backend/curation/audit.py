"""What the rulings of a queue say so far: about the filter, the judge, the label, the reviewers."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from backend.curation.kinds.registry import KINDS
from backend.domain.rulings import SETTLING, Ruling, effective_decision
from backend.domain.statistics import sample_size_for, wilson_interval
from backend.store.audits import Audits, QueueRuling
from backend.store.database import Database
from backend.store.queues import QueueRow

RESAMPLES = 400
_QUICK = 100
"""Rulings that are counted in a few milliseconds."""
_LEAST_KEPT_S, _KEPT_FOR, _MOST_KEPT = 2.0, 20.0, 50
"""Figures are kept for seconds, or for so many times as long as counting took; of so many queues."""
_TARGETS = (0.10, 0.05, 0.02)
_PACE_WINDOW = 50
_LONGEST_GAP_S = 120.0
"""A longer pause between two rulings is a break, and not work."""
_NOT_RANDOM = "Counts only: these pairs were picked, and say nothing about others. A random audit does."
_HIDDEN = "Yours alone: a blind queue shows what colleagues said once you have chosen everywhere."


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """``hits`` of ``n``, with the 95 % interval by Wilson."""

    hits: int
    n: int
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Share:
        counted = list(outcomes)
        hits, n = sum(counted), len(counted)
        low, high = wilson_interval(hits, n)
        return cls(hits=hits, n=n, low=low, high=high)

    def more(self) -> tuple[int, float] | None:
        """How many more rulings narrow the interval to the next of ±10, ±5, ±2 points."""
        if not self.n:
            return None
        half = (self.high - self.low) / 2
        for target in _TARGETS:
            missing = sample_size_for(self.hits, self.n, target)
            if half > target and missing:
                return missing, target
        return None

    def to_json(self, *, random: bool) -> dict[str, Any]:
        """Counts; where they are of a random sample, also what they say about the whole it is of."""
        if not random or not self.n:
            return {"hits": self.hits, "n": self.n, "share": None}
        more = self.more()
        return {
            "hits": self.hits,
            "n": self.n,
            "share": self.hits / self.n,
            "low": self.low,
            "high": self.high,
            "more": None if more is None else {"n": more[0], "half_width": more[1]},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Krippendorff's alpha over the items that two or more reviewers ruled on; 1 is perfect
    agreement, 0 what chance gives. ``None`` where it is not defined: all rulings are alike."""

    items: int
    same: int
    alpha: float | None
    low: float | None
    high: float | None


def audit(database: Database, queue: QueueRow, reviewer: str, *, all_chosen: bool = False) -> dict[str, Any]:
    """The statistics of a queue, ready for JSON.

    ``precision`` is the share of the filter's acceptances that stand, ``rejection`` that of its
    rejections; ``judge`` how often a person sided with the judge, ``label`` with the recorded
    preference, each over the rulings that tell; ``pace_s`` the seconds that ``reviewer`` takes.
    Only a random sample says something about what it was drawn from: of any other queue there are
    counts, and ``why``.

    Args:
        all_chosen: There is nothing left in the queue for this reviewer to choose. Before that, what
            colleagues have said in a blind queue is left out of every number.
    """
    everybody = _counted(database, queue)
    own = everybody.by_reviewer.get(reviewer, [])
    hides = queue.blind and not all_chosen
    found = _summary(own, queue, estimates=False) if hides else everybody.summary
    return {**found, "why": _HIDDEN if hides else found["why"], "pace_s": pace(own)}


class _Counted:
    """The rulings of a queue that count, and what they say."""

    def __init__(self, queue: QueueRow, rows: Sequence[QueueRuling]) -> None:
        self.rows = len(rows)
        self.by_reviewer: dict[str, list[QueueRuling]] = defaultdict(list)
        for row in rows:
            self.by_reviewer[row.reviewer].append(row)
        self.summary = _summary(rows, queue, estimates=_is_random(queue))


_kept: WeakKeyDictionary[Database, dict[tuple[int, float], tuple[float, _Counted]]] = WeakKeyDictionary()
_counting = Lock()


def _counted(database: Database, queue: QueueRow) -> _Counted:
    """Counted anew at each call as long as that is quick; then for everybody at once, and not all the
    time: each reviewer asks after each ruling."""
    place = (queue.id, queue.created_at)
    with _counting:
        kept = _kept.setdefault(database, {})
        until, counted = kept.get(place, (0.0, None))
        begun = time.monotonic()
        if counted is None or begun >= until:
            counted = _Counted(queue, Audits(database).counted(queue))
            now = time.monotonic()
            if counted.rows > _QUICK:
                kept[place] = (now + max(_LEAST_KEPT_S, _KEPT_FOR * (now - begun)), counted)
            while len(kept) > _MOST_KEPT:
                del kept[next(iter(kept))]
    return counted


def _summary(rows: Sequence[QueueRuling], queue: QueueRow, *, estimates: bool) -> dict[str, Any]:
    settled = [row for row in rows if row.ruling in SETTLING]
    random = _is_random(queue)
    shares = {
        "precision": [kept(row) for row in settled if row.decision == "accepted"],
        "rejection": [not kept(row) for row in settled if row.decision == "rejected"],
        "judge": _told(with_judge(row) for row in settled),
        "label": _told(with_label(row) for row in settled),
    }
    return {
        "rulings": len(rows),
        **{name: Share.of(outcomes).to_json(random=estimates) for name, outcomes in shares.items()},
        "why": None if random else _NOT_RANDOM,
        "reviewers": len({row.reviewer for row in rows}),
        "agreement": _agreement_json(settled, random=random),
    }


def _is_random(queue: QueueRow) -> bool:
    kind = KINDS.known(queue.kind)
    return kind is not None and kind.random


def kept(row: QueueRuling) -> bool:
    """Whether the ruling lets the prediction train."""
    return effective_decision(row.decision, row.answer, row.ruling, row.relabel) == "accepted"


def with_judge(row: QueueRuling) -> bool | None:
    """Whether the person sided with the judge's answer; ``None`` when the ruling does not tell."""
    if row.answer is None:
        return None
    if row.ruling == Ruling.RELABEL:
        return row.relabel == row.answer
    return row.ruling == Ruling.ACCEPT


def with_label(row: QueueRuling) -> bool | None:
    """Whether the person sided with the recorded preference. A rejection does not tell: the
    reasoning may be bad where the answer is right."""
    if row.ruling == Ruling.RELABEL:
        return row.relabel == row.preferred
    if row.ruling == Ruling.ACCEPT and row.answer is not None:
        return row.answer == row.preferred
    return None


def reviewer_agreement(units: Sequence[Sequence[bool]], *, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """How far reviewers agree whether a prediction is kept.

    Krippendorff (2019), Content Analysis, ch. 12, nominal; from the ``krippendorff`` package. The
    interval is the percentile bootstrap over items.

    Args:
        units: The rulings on each item, kept or not; items with fewer than two are left out.
    """
    counts = [(unit.count(True), unit.count(False)) for unit in map(list, units) if len(unit) > 1]
    same = sum(1 for yes, no in counts if not yes or not no)
    drawn = random.Random(seed)
    alphas = [
        alpha
        for _ in range(resamples if len(counts) > 1 else 0)
        if (alpha := _alpha(drawn.choices(counts, k=len(counts)))) is not None
    ]
    alphas.sort()
    enough = len(alphas) >= resamples // 2 > 0
    return Agreement(
        items=len(counts),
        same=same,
        alpha=_alpha(counts),
        low=alphas[int(0.025 * len(alphas))] if enough else None,
        high=alphas[min(len(alphas) - 1, int(0.975 * len(alphas)))] if enough else None,
    )


def pace(rows: Sequence[QueueRuling]) -> float | None:
    """Seconds a ruling of one reviewer takes, breaks left out; ``None`` before three rulings."""
    times = sorted(row.created_at for row in rows)[-_PACE_WINDOW:]
    gaps = [later - earlier for earlier, later in pairwise(times) if later - earlier <= _LONGEST_GAP_S]
    return sum(gaps) / len(gaps) if len(gaps) >= 2 else None


def _alpha(counts: Sequence[tuple[int, int]]) -> float | None:
    yes, no = sum(pair[0] for pair in counts), sum(pair[1] for pair in counts)
    if not yes or not no:
        return None
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _agreement_json(settled: Sequence[QueueRuling], *, random: bool) -> dict[str, Any]:
    units: dict[int, list[bool]] = defaultdict(list)
    for row in settled:
        units[row.position].append(kept(row))
    found = reviewer_agreement(list(units.values()))
    return {
        "items": found.items,
        "same": found.same,
        "alpha": found.alpha,
        "low": found.low if random else None,
        "high": found.high if random else None,
    }


def _told(answers: Iterable[bool | None]) -> list[bool]:
    return [answer for answer in answers if answer is not None]
