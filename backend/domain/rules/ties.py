"""Ties: recorded ones, and those that the judge alone sees."""

from __future__ import annotations

from backend.domain.rules.base import Alone, Candidate, Rule, RuleOptions
from backend.options import option


class _Options(RuleOptions):
    accept_ties: bool = option(
        False,
        "Pairs whose recorded preference is a tie take part; else they are set aside",
        when="to train a judge that may say tie",
        group="Answer",
        label="Pairs with a recorded tie take part",
    )


def _alone(options: _Options) -> Alone | None:
    def check(one: Candidate) -> str | None:
        # Plain comparison with strings: members of a StrEnum equal them, and rows hold strings.
        if one.preferred == "tie":
            return "tie"
        return "said_tie" if one.answer == "tie" else None

    return None if options.accept_ties else check


TIES = Rule(
    name="ties",
    label="Ties",
    purpose="Sets pairs aside whose recorded preference is a tie, and rejects a tie said of the others.",
    place=10,
    options=_Options,
    reasons={"tie": "recorded tie", "said_tie": "said tie"},
    alone=_alone,
)
