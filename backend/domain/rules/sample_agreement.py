"""Agreement of the samples: how many of a pair's predictions name the same winner."""

from __future__ import annotations

from backend.domain.rules.base import Candidate, Group, Rule, RuleOptions, Together, winner
from backend.options import option


class _Options(RuleOptions):
    min_sample_agreement: float | None = option(
        None,
        "Share of all predictions of the pair that must name the same winner",
        when="with several samples of each pair, to keep what they agree on",
        group="Pair",
        label="Share of samples that agree",
        step=0.05,
        gt=0,
        le=1,
    )


def _together(options: _Options) -> Together | None:
    share = options.min_sample_agreement
    if share is None:
        return None

    def check(one: Candidate, group: Group) -> str | None:
        # All samples count, the unreadable too: what says nothing does not agree.
        return "samples_disagree" if group.winners[winner(one)] < share * len(group) - 1e-9 else None

    return check


SAMPLE_AGREEMENT = Rule(
    name="sample_agreement",
    label="Sample agreement",
    purpose="Rejects judgments of a pair whose samples name different winners.",
    place=80,
    options=_Options,
    reasons={"samples_disagree": "samples disagree"},
    together=_together,
)
