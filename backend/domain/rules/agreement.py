"""Agreement with the human: the rule of the field."""

from __future__ import annotations

from backend.domain.rules.base import Alone, Candidate, Rule, RuleOptions
from backend.options import option


class _Options(RuleOptions):
    require_agreement: bool = option(
        True,
        "The answer must equal the human preference",
        when="off to keep what contradicts the label as well",
        group="Answer",
        label="Answer agrees with the human",
    )


def _alone(options: _Options) -> Alone | None:
    def check(one: Candidate) -> str | None:
        if one.answer == one.preferred:
            return None
        return "said_tie" if one.answer == "tie" else "disagrees"

    return check if options.require_agreement else None


AGREEMENT = Rule(
    name="agreement",
    label="Agreement",
    purpose="Rejects an answer that is not the human preference.",
    place=30,
    options=_Options,
    # The first two also say how an accepted answer stands to the human preference.
    reasons={"agrees": "agrees", "disagrees": "disagrees", "said_tie": "said tie"},
    alone=_alone,
)
