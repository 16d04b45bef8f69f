"""What would be trained on, looked at before it is frozen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.domain.pairs import Order, Preference
from backend.domain.rulings import why_not_trainable
from backend.store.database import Database
from backend.store.previews import Previews, Sum

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
        untrainable: By reason, how many are accepted that freezing would leave out.
        balanced_items: What freezing with balance would take.
        answers, kinds: ``items`` by answer and by medium.
        by_ruling: How many of them a person accepted, or relabelled.
        captions: Different pairs before and after.
        caption_length: Mean length in characters, before and after, of the sample.
        lead: By dimension, the mean lead of the answered side after, of the sample.
        winners: Generators that the answer named better, of the sample.
        sampled: Size of the sample behind the last three.
    """

    items: int
    untrainable: dict[str, int]
    balanced_items: int
    answers: dict[str, int]
    kinds: dict[str, int]
    by_ruling: int
    captions: tuple[int, int]
    caption_length: tuple[float, float]
    lead: dict[str, float]
    winners: list[Share]
    sampled: int


def preview(database: Database, run_ids: Sequence[int], *, sample: int = SAMPLE) -> Preview:
    """Count what freezing these runs would take now; dimensions and generators from a sample."""
    reading = Previews(database)
    answers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    by_ruling = 0
    sums = reading.sums(run_ids)
    for row in sums:
        if row.effective == "accepted" and row.answer in ("first", "second"):
            answers[row.answer] += row.count
            kinds[row.kind] += row.count
            by_ruling += row.count if row.ruling in ("accept", "relabel") else 0
    lengths: dict[bool, list[int]] = {True: [], False: []}
    leads: dict[str, list[float]] = defaultdict(list)
    won: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    sampled = 0
    for one in reading.sample(run_ids, sample):
        sampled += 1
        accepted = one.effective == "accepted"
        lengths[accepted].append(one.prompt_length)
        if winner := _winner(one.answer, one.order, one.extra):
            won[accepted][winner] += 1
        if accepted:
            for name, first, second in one.scores.get("dimensions", ()):
                if first is not None and second is not None:
                    better, worse = Preference(one.answer).ranked(first, second)
                    leads[str(name).strip().capitalize()].append(better - worse)
    everything = won[True] + won[False]
    return Preview(
        items=answers.total(),
        untrainable=_untrainable(sums),
        balanced_items=2 * min(answers["first"], answers["second"]),
        answers=dict(answers),
        kinds=dict(kinds),
        by_ruling=by_ruling,
        captions=(
            reading.captions(run_ids, accepted=False),
            reading.captions(run_ids, accepted=True),
        ),
        caption_length=(_mean(lengths[True] + lengths[False]), _mean(lengths[True])),
        lead={name: _mean(some) for name, some in sorted(leads.items())},
        winners=[Share(name, count, won[True][name]) for name, count in everything.most_common(12)],
        sampled=sampled,
    )


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
