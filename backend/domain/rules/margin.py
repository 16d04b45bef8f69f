"""The margin: by how much the totals of the two sides must differ."""

from __future__ import annotations

from backend.domain.rules.base import Alone, Candidate, Rule, RuleOptions
from backend.options import option


class _Options(RuleOptions):
    min_margin: float | None = option(
        None,
        "Lowest margin of the answered side's total over the other's; a text without totals does not reach it",
        when="raise it to keep only what the judge is sure of",
        group="Scores",
        label="Margin of at least",
        step=0.5,
        ge=0,
    )


def _alone(options: _Options) -> Alone | None:
    least = options.min_margin
    if least is None:
        return None

    def check(one: Candidate) -> str | None:
        # A tie has no winner to be sure of, so its margin is no measure of confidence.
        sure = one.answer == "tie" or (one.margin is not None and one.margin >= least)
        return None if sure else "low_margin"

    return check


MARGIN = Rule(
    name="margin",
    label="Margin",
    purpose="Rejects judgments whose totals differ by less than a margin.",
    place=60,
    options=_Options,
    reasons={"low_margin": "low margin"},
    alone=_alone,
)
