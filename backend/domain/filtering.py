"""Which predictions are kept, and why.

A decision is a pure function of what the judge said, what the human preferred and a policy; so a
finished run is re-decided under another policy without inference. Answers and preferences are
relative to the order that each prediction was shown in; wherever predictions of one pair are
compared with each other, they are first brought back to dataset order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from backend.domain.pairs import Order, Preference
from backend.domain.policies import PRESETS, Policy, load_policy

__all__ = ["PRESETS", "Candidate", "Decision", "Policy", "Reason", "decide_pair", "load_policy"]


class Reason(StrEnum):
    """The one reason of a decision. ``agrees`` and ``disagrees`` also say how an accepted answer
    stands to the human preference, for a policy that does not ask for agreement."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    TIE = "tie"
    """The recorded preference is a tie: the pair is set aside."""
    SAID_TIE = "said_tie"
    """The judge says tie although the human has a preference."""
    UNREADABLE = "unreadable"
    """There is no answer to compare; that is not the same as a wrong one."""
    LOW_MARGIN = "low_margin"
    FLAWED = "flawed"
    SAMPLES_DISAGREE = "samples_disagree"
    ORDER_INCONSISTENT = "order_inconsistent"
    ORDER_MISSING = "order_missing"
    NOT_CHOSEN = "not_chosen"
    """Acceptable, but another prediction of the pair is the one that is kept."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The filter's ruling on one prediction."""

    accepted: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the filter needs to know of one prediction.

    Attributes:
        order: The order it was shown in; ``answer`` and ``preferred`` are relative to it.
        answer: ``None`` when there is none to read.
        margin: As :attr:`~backend.domain.reading.Verdict.margin`.
        flaws: A mask as of :func:`~backend.domain.reading.flaw_mask`.
    """

    order: Order | str
    sample: int
    answer: Preference | str | None
    preferred: Preference | str
    margin: float | None
    flaws: int


# One object a reason: a million decisions are made of twelve.
_REJECT = {reason: Decision(False, reason) for reason in Reason}
_ACCEPT = {reason: Decision(True, reason) for reason in (Reason.AGREES, Reason.DISAGREES)}

_ORDERS = tuple(Order)
_WINNER = {(order, said): order.turn(said) for order in Order for said in Preference}
"""The side in dataset order by order and answer; found with plain strings too."""


def decide_pair(policy: Policy, candidates: Sequence[Candidate]) -> list[Decision]:
    """Decide all predictions of one pair in one run.

    The checks run in this order, and the first that fails gives the reason: tie, readability,
    agreement, flaws, margin, order consistency, agreement of the samples, choice of one.

    Args:
        candidates: Every prediction of the pair in the run: both orders, all samples.

    Returns:
        One decision a candidate, in the same order.
    """
    refused = policy.refused_mask
    decisions = [_decide_alone(policy, refused, candidate) for candidate in candidates]
    if policy.order_consistency or policy.min_sample_agreement is not None:
        group = _Group(candidates)
        for place, decision in enumerate(decisions):
            if decision.accepted:
                reason = group.objection(policy, candidates[place])
                if reason is not None:
                    decisions[place] = _REJECT[reason]
    if policy.keep == "one_per_pair" and len(decisions) > 1:
        _keep_one(candidates, decisions)
    return decisions


def _decide_alone(policy: Policy, refused: int, candidate: Candidate) -> Decision:
    # Plain comparison with strings: members of a StrEnum equal them, and rows hold strings.
    answer, preferred = candidate.answer, candidate.preferred
    if preferred == "tie" and not policy.accept_ties:
        return _REJECT[Reason.TIE]
    if answer is None:
        return _REJECT[Reason.UNREADABLE]
    agrees = answer == preferred
    if not agrees:
        if answer == "tie" and (policy.require_agreement or not policy.accept_ties):
            return _REJECT[Reason.SAID_TIE]
        if policy.require_agreement:
            return _REJECT[Reason.DISAGREES]
    if candidate.flaws & refused:
        return _REJECT[Reason.FLAWED]
    # A tie has no winner to be sure of, so its margin is no measure of confidence.
    if (
        policy.min_margin is not None
        and answer != "tie"
        and (candidate.margin is None or candidate.margin < policy.min_margin)
    ):
        return _REJECT[Reason.LOW_MARGIN]
    return _ACCEPT[Reason.AGREES if agrees else Reason.DISAGREES]


def _winner(candidate: Candidate) -> str | None:
    """The answer relative to dataset order."""
    answer = candidate.answer
    return None if answer is None else _WINNER[candidate.order, answer]  # type: ignore[index]


class _Group:
    """What all predictions of one pair say together, in dataset order."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates

    @cached_property
    def _winners(self) -> Counter[str | None]:
        return Counter(map(_winner, self._candidates))

    @cached_property
    def _by_order(self) -> dict[str, str | None]:
        """The winner in each order that has a readable answer: that of most samples, ``None`` when
        several have most."""
        votes: dict[str, list[str]] = {}
        for candidate in self._candidates:
            winner = _winner(candidate)
            if winner is not None:
                votes.setdefault(candidate.order, []).append(winner)
        winners: dict[str, str | None] = {}
        for order, said in votes.items():
            if said.count(said[0]) == len(said):  # nearly always; counting properly is slow
                winners[order] = said[0]
                continue
            (first, most), (_, next_most), *_ = Counter(said).most_common(2)
            winners[order] = None if next_most == most else first
        return winners

    def objection(self, policy: Policy, candidate: Candidate) -> Reason | None:
        """Why the pair's other predictions speak against ``candidate``, if they do."""
        winner = _winner(candidate)
        if policy.order_consistency:
            if len(self._by_order) < 2:
                return Reason.ORDER_MISSING
            if any(said != winner for said in self._by_order.values()):
                return Reason.ORDER_INCONSISTENT
        share = policy.min_sample_agreement
        # All samples count, the unreadable too: what says nothing does not agree.
        if share is not None and self._winners[winner] < share * len(self._candidates) - 1e-9:
            return Reason.SAMPLES_DISAGREE
        return None


def _keep_one(candidates: Sequence[Candidate], decisions: list[Decision]) -> None:
    """Keep the accepted prediction of highest margin, then lowest sample, then dataset order."""
    accepted = [place for place, decision in enumerate(decisions) if decision.accepted]
    if len(accepted) < 2:
        return

    def rank(place: int) -> tuple[float, int, int]:
        candidate = candidates[place]
        margin = float("-inf") if candidate.margin is None else candidate.margin
        return (-margin, candidate.sample, _ORDERS.index(candidate.order))

    chosen = min(accepted, key=rank)
    for place in accepted:
        if place != chosen:
            decisions[place] = _REJECT[Reason.NOT_CHOSEN]
