"""What another policy would accept, before it is applied. Nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from backend.domain.filtering import Policy, Said, decide_pair
from backend.inference.analysis import Analysis
from backend.inference.deciding import decide
from backend.store.database import Database
from backend.store.deciding import iter_judged

PAGE = 20_000


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A run under another policy.

    Attributes:
        before: Accepted under the policy in force.
        after: Accepted under the other one.
        gained: Accepted only under the other one.
        lost: Accepted only under the one in force.
        first: Of ``after``, those whose answer is the first-shown side.
        reasons: Rejected under the other one, by reason.
    """

    predictions: int
    before: int
    after: int
    gained: int
    lost: int
    first: int
    reasons: dict[str, int]


def what_if(database: Database, run_id: int, policy: Policy, analysis: Analysis) -> WhatIf:
    """Decide a run under another policy without writing it down.

    A policy that looks at each prediction alone is answered from the sums; one that compares the
    predictions of a pair goes through the run, a page of pairs at a time.
    """
    if analysis.exact and not policy.plan.looks_at_pairs:
        return _from_sums(policy, analysis)
    return _from_run(database, run_id, policy)


def _from_sums(policy: Policy, analysis: Analysis) -> WhatIf:
    tally = _Tally()
    for group in analysis.groups:
        (decision,) = decide_pair(
            policy, [Said(group.shown_order, 0, group.answer, group.preferred, group.margin, group.flaws)]
        )
        tally.add(
            group.n,
            before=group.decision == "accepted",
            after=decision.accepted,
            reason=decision.reason,
            first=group.answer == "first",
        )
    return tally.result()


def _from_run(database: Database, run_id: int, policy: Policy) -> WhatIf:
    tally = _Tally()
    with database.read() as connection:
        for page in iter_judged(connection, run_id, PAGE):
            before = [item.decision == "accepted" for item in page]
            decide(policy, page)
            for item, was in zip(page, before, strict=True):
                tally.add(
                    1, before=was, after=item.decision == "accepted", reason=item.reason, first=item.answer == "first"
                )
    return tally.result()


class _Tally:
    def __init__(self) -> None:
        self._counts: Counter[tuple[bool, bool, bool]] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, count: int, *, before: bool, after: bool, reason: str, first: bool) -> None:
        self._counts[before, after, first] += count
        if not after:
            self._reasons[str(reason)] += count

    def result(self) -> WhatIf:
        def total(before: bool | None, after: bool | None, first: bool | None = None) -> int:
            return sum(
                count
                for (b, a, f), count in self._counts.items()
                if before in (None, b) and after in (None, a) and first in (None, f)
            )

        return WhatIf(
            predictions=total(None, None),
            before=total(True, None),
            after=total(None, True),
            gained=total(False, True),
            lost=total(True, False),
            first=total(None, True, True),
            reasons=dict(self._reasons),
        )
