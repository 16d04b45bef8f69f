"""What would be trained on, looked at before it is frozen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.curation.balance import Balance, keeping
from backend.domain.pairs import Order, Preference
from backend.domain.rulings import why_not_trainable
from backend.store.database import Database
from backend.store.previews import SIDES, Previews, Sampled, Sum
from backend.store.sets import Sets

SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Share:
    """How often something occurs before (all readable answers) and after (what is accepted)."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A set that is not frozen yet.

    Attributes:
        items: What freezing would take.
        left_out: What balancing leaves out of what is accepted.
        untrainable: By reason, how many are accepted that freezing would leave out.
        answers, kinds: ``items`` by answer and by medium.
        by_ruling: How many of them a person accepted, or relabelled.
        captions: Different pairs: judged, and in ``items``.
        caption_length: Mean length in characters, of all judged and of ``items``, of the sample.
        lead: By dimension, the mean lead of the answered side in ``items``, of the sample.
        winners: Generators that the answer named better, of the sample.
        sampled: Size of the sample behind the last three.
    """

    items: int
    left_out: int
    untrainable: dict[str, int]
    answers: dict[str, int]
    kinds: dict[str, int]
    by_ruling: int
    captions: tuple[int, int]
    caption_length: tuple[float, float]
    lead: dict[str, float]
    winners: list[Share]
    sampled: int


def preview(
    database: Database, run_ids: Sequence[int], *, balance: Balance | None = None, sample: int = SAMPLE
) -> Preview:
    """Count what freezing these runs with these options would take now.

    Every number is of those very rows; dimensions, generators and lengths of a sample of them.
    """
    reading, sets = Previews(database), Sets(database)
    runs = list(dict.fromkeys(run_ids))
    sums = reading.sums(runs)
    accepted = [row for row in sums if row.effective == "accepted" and row.answer in SIDES]
    whole = sum(row.count for row in accepted)
    pairs: set[int] = set()
    with database.read() as snapshot:
        keeps = keeping(sets, snapshot, runs, balance)
        if balance is not None:
            kept = Counter[tuple[str, str, str | None]]()
            for run in runs:
                for one in filter(keeps, sets.candidates(snapshot, run)):
                    kept[one.kind, one.answer, one.ruling] += 1
                    pairs.add(one.pair_id)
            accepted = [
                Sum(kind=kind, answer=answer, ruling=ruling, effective="accepted", count=count)
                for (kind, answer, ruling), count in kept.items()
            ]
    answers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    by_ruling = 0
    for row in accepted:
        answers[str(row.answer)] += row.count
        kinds[row.kind] += row.count
        by_ruling += row.count if row.ruling in ("accept", "relabel") else 0
    return Preview(
        items=answers.total(),
        left_out=whole - answers.total(),
        untrainable=_untrainable(sums),
        answers=dict(answers),
        kinds=dict(kinds),
        by_ruling=by_ruling,
        captions=(
            reading.captions(runs, accepted=False),
            len(pairs) if balance is not None else reading.captions(runs, accepted=True),
        ),
        **_sampled(reading.sample(runs, sample), keeps),
    )


def _sampled(sample: Iterable[Sampled], keeps: Callable[[Sampled], bool]) -> dict[str, Any]:
    """The numbers that need more than counting, before and after: of the sample, and what is kept of it."""
    lengths: dict[bool, list[int]] = {True: [], False: []}
    leads: dict[str, list[float]] = defaultdict(list)
    won: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    sampled = 0
    for one in sample:
        sampled += 1
        kept = one.effective == "accepted" and keeps(one)
        lengths[kept].append(one.prompt_length)
        if winner := _winner(one.answer, one.shown_order, one.extra):
            won[kept][winner] += 1
        if kept:
            for name, first, second in one.scores.get("dimensions", ()):
                if first is not None and second is not None:
                    better, worse = Preference(one.answer).ranked(first, second)
                    leads[str(name).strip().capitalize()].append(better - worse)
    everything = won[True] + won[False]
    return {
        "caption_length": (_mean(lengths[True] + lengths[False]), _mean(lengths[True])),
        "lead": {name: _mean(some) for name, some in sorted(leads.items())},
        "winners": [Share(name, n, won[True][name]) for name, n in everything.most_common(12)],
        "sampled": sampled,
    }


def untrainable(database: Database, run_ids: Sequence[int]) -> dict[str, int]:
    """By reason, how many predictions are accepted in these runs that no set can take."""
    return _untrainable(Previews(database).sums(run_ids))


def untrainable_line(counts: Mapping[str, int]) -> str | None:
    """What is accepted and cannot be trained on, in one line; ``None`` when there is nothing."""
    if not counts:
        return None
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f"{sum(counts.values())} accepted cannot be trained on ({reasons})"


def _untrainable(sums: Sequence[Sum]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in sums:
        if row.effective == "accepted" and (reason := why_not_trainable(row.answer)):
            counts[reason] += row.count
    return dict(counts)


def _winner(answer: str, order: str, extra: dict[str, object]) -> str | None:
    """The generator of the side that the answer calls better; ``model1`` made the first in dataset
    order."""
    name, _ = Order(order).turn(answer).ranked(extra.get("model1"), extra.get("model2"))
    return str(name) if name else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
