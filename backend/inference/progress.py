"""How far a run is, and how good it has been so far, from counts that stay cheap in a large run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.policies import Policy
from backend.domain.rules.readable import READABLE
from backend.errors import PolicyError
from backend.inference.analysis import Share

_NOT_COMPARED = ("tie", *READABLE.reasons, "undecided")
_WRONG = ("disagrees", "said_tie")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """The numbers on a run's card.

    Attributes:
        unreadable: Part of ``rejected``.
        accuracy: Readable answers that agree with the human; ``None`` where the policy in force
            does not tell (it accepts what disagrees).
        effective: Accepted once people's rulings are taken into account.
    """

    total: int
    done: int
    failed: int
    accepted: int
    rejected: int
    unreadable: int
    reasons: Mapping[str, int]
    effective: int
    accuracy: Share | None


def run_counts(counts: Mapping[str, Any], policy: Mapping[str, Any]) -> RunCounts:
    """Name what :meth:`backend.store.runs.Runs.counts` found, under the run's policy.

    Reasons alone tell the accuracy as long as the policy asks for agreement: what it rejects for
    another reason comes after that check, and so agrees.
    """
    reasons = dict(counts["rejected_by_reason"])
    accuracy = None
    try:
        known = Policy.from_mapping(policy)
    except PolicyError:
        known = None
    if known is not None and known.plan.tells_accuracy:
        n = counts["done"] - sum(reasons.get(reason, 0) for reason in _NOT_COMPARED)
        accuracy = Share(n - sum(reasons.get(reason, 0) for reason in _WRONG), n)
    return RunCounts(
        total=counts["total"],
        done=counts["done"],
        failed=counts["failed"],
        accepted=counts["accepted"],
        rejected=counts["rejected"],
        unreadable=reasons.get("unreadable", 0),
        reasons=reasons,
        effective=counts["effective_accepted"],
        accuracy=accuracy,
    )
