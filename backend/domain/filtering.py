"""Which predictions are kept, and why.

A decision is a pure function of what the judge said, what the human preferred and a policy; so a
finished run is re-decided under another policy without inference. Answers and preferences are
relative to the order that each prediction was shown in; wherever predictions of one pair are
compared with each other, they are first brought back to dataset order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.policies import PRESETS, Policy, load_policy
from backend.domain.rules.base import Candidate, Group

__all__ = ["PRESETS", "Decision", "Policy", "Said", "decide_pair", "load_policy"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The filter's ruling on one prediction, and the one reason for it."""

    accepted: bool
    reason: str


@dataclass(slots=True, unsafe_hash=True)
class Said:
    """One prediction, where there is no row of it; a :class:`~backend.domain.rules.base.Candidate`."""

    order: str
    sample: int
    answer: str | None
    preferred: str
    margin: float | None
    flaws: int


class _Rejections(dict[str, Decision]):
    """One object a reason: a million decisions are made of twelve."""

    def __missing__(self, reason: str) -> Decision:
        return self.setdefault(reason, Decision(False, reason))


_REJECT = _Rejections()
_AGREES, _DISAGREES = Decision(True, "agrees"), Decision(True, "disagrees")


def decide_pair(policy: Policy, candidates: Sequence[Candidate]) -> list[Decision]:
    """Decide all predictions of one pair in one run.

    The rules are asked in the order of their places, and the first that objects gives the reason: those
    about one prediction, then of what passed them those about the pair, then the choice among the rest.

    Args:
        candidates: Every prediction of the pair in the run: both orders, all samples.

    Returns:
        One decision a candidate, in the same order.
    """
    plan = policy.plan
    alone = plan.alone
    decisions = []
    for one in candidates:
        for check in alone:
            reason = check(one)
            if reason is not None:
                decisions.append(_REJECT[reason])
                break
        else:
            decisions.append(_AGREES if one.answer == one.preferred else _DISAGREES)
    if plan.together:
        group = Group(candidates)
        for place, decision in enumerate(decisions):
            if decision.accepted:
                for compare in plan.together:
                    reason = compare(candidates[place], group)
                    if reason is not None:
                        decisions[place] = _REJECT[reason]
                        break
    for choose in plan.choices:
        accepted = [place for place, decision in enumerate(decisions) if decision.accepted]
        if len(accepted) > 1:
            for place, reason in choose([candidates[place] for place in accepted]).items():
                decisions[accepted[place]] = _REJECT[reason]
    return decisions
