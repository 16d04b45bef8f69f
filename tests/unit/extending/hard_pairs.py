"""A policy rule: only pairs that are hard to tell apart."""

from __future__ import annotations

from backend.domain.rules.base import Alone, Candidate, Rule, RuleOptions
from backend.options import option


class Options(RuleOptions):
    max_margin: float | None = option(
        None,
        "Highest margin of the answered side's total over the other's",
        when="to train on hard pairs alone",
        group="Scores",
        label="Margin of at most",
        ge=0,
    )


def not_wider(options: Options) -> Alone | None:
    most = options.max_margin
    if most is None:
        return None

    def check(one: Candidate) -> str | None:
        return "too_easy" if one.margin is not None and one.margin > most else None

    return check


HARD_PAIRS = Rule(
    name="hard_pairs",
    label="Hard pairs",
    purpose="Rejects judgments whose totals differ by more than a margin.",
    place=65,
    options=Options,
    reasons={"too_easy": "too easy"},
    alone=not_wider,
)
