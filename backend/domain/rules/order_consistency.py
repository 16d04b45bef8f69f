"""Order consistency: the same winner whichever side is shown first."""

from __future__ import annotations

from backend.domain.rules.base import Candidate, Group, Rule, RuleOptions, Together, winner
from backend.options import option


class _Options(RuleOptions):
    order_consistency: bool = option(
        False,
        "The pair must have been judged in both orders, with the same winner",
        when="on for a run in both orders, to keep what position did not decide",
        group="Pair",
        label="Same winner in both orders",
    )


def _together(options: _Options) -> Together | None:
    def check(one: Candidate, group: Group) -> str | None:
        if len(group.by_order) < 2:
            return "order_missing"
        own = winner(one)
        return "order_inconsistent" if any(said != own for said in group.by_order.values()) else None

    return check if options.order_consistency else None


ORDER_CONSISTENCY = Rule(
    name="order_consistency",
    label="Order consistency",
    purpose="Rejects judgments of a pair whose winner changes with the shown order.",
    place=70,
    options=_Options,
    reasons={"order_inconsistent": "order flips", "order_missing": "one order only"},
    together=_together,
    needs_both_orders=True,
)
