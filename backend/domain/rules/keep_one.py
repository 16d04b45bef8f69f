"""One prediction of each pair: the best of those that are accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from backend.domain.pairs import Order
from backend.domain.rules.base import Candidate, Choice, Rule, RuleOptions
from backend.options import option

_ORDERS = tuple(Order)


class _Options(RuleOptions):
    keep: Literal["all", "one_per_pair"] = option(
        "all",
        "All accepted predictions of a pair, or only the one of highest margin",
        when="one where every pair is to weigh the same in training",
        group="Pair",
        label="Kept of each pair",
        names={"all": "everything that is accepted", "one_per_pair": "only the best"},
    )


def _choose(accepted: Sequence[Candidate]) -> Mapping[int, str]:
    """Keep the highest margin, then the lowest sample, then dataset order."""

    def rank(place: int) -> tuple[float, int, int]:
        one = accepted[place]
        margin = float("-inf") if one.margin is None else one.margin
        return (-margin, one.sample, _ORDERS.index(one.order))

    chosen = min(range(len(accepted)), key=rank)
    return {place: "not_chosen" for place in range(len(accepted)) if place != chosen}


def _choice(options: _Options) -> Choice | None:
    return _choose if options.keep == "one_per_pair" else None


KEEP_ONE = Rule(
    name="keep_one",
    label="One a pair",
    purpose="Keeps one accepted judgment of each pair.",
    place=90,
    options=_Options,
    reasons={"not_chosen": "another was kept"},
    choice=_choice,
)
