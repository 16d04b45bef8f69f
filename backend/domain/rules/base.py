"""What a rule of a filter policy is, and what it is shown.

A rule names its options (:func:`backend.options.option`), the reasons it rejects for, and checks made
from its options. A check gives the reason it rejects for, or ``None``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from backend.domain.pairs import Order, Preference
from backend.errors import PolicyError
from backend.options import Option, filled, options_of


class Candidate(Protocol):
    """What a rule may know of one prediction; the store's verdicts have it.

    Attributes:
        order: The order it was shown in; ``answer`` and ``preferred`` are relative to it.
        answer: ``None`` when there is none to read.
        margin: As :attr:`~backend.domain.reading.Verdict.margin`.
        flaws: A mask as of :func:`~backend.domain.reading.flaw_mask`.
    """

    order: str
    sample: int
    answer: str | None
    preferred: str
    margin: float | None
    flaws: int


class Group:
    """What all predictions of one pair say together, in dataset order."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates

    def __len__(self) -> int:
        return len(self._candidates)

    @cached_property
    def winners(self) -> Counter[str | None]:
        """How many predictions name each winner; ``None`` is unreadable."""
        return Counter(map(winner, self._candidates))

    @cached_property
    def by_order(self) -> dict[str, str | None]:
        """The winner in each order that has a readable answer: that of most samples, ``None`` when
        several have most."""
        votes: dict[str, list[str]] = {}
        for candidate in self._candidates:
            said = winner(candidate)
            if said is not None:
                votes.setdefault(candidate.order, []).append(said)
        winners: dict[str, str | None] = {}
        for order, said_there in votes.items():
            if said_there.count(said_there[0]) == len(said_there):  # nearly always; counting properly is slow
                winners[order] = said_there[0]
                continue
            (first, most), (_, next_most), *_ = Counter(said_there).most_common(2)
            winners[order] = None if next_most == most else first
        return winners


class RuleOptions(BaseModel):
    """Options of a rule. Strict: stored policies hold them as JSON, and no text is a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Alone = Callable[[Candidate], str | None]
"""Why one prediction is rejected, from itself alone."""
Together = Callable[[Candidate, Group], str | None]
"""Why one is rejected that passed every check alone, from all predictions of its pair."""
Choice = Callable[[Sequence[Candidate]], Mapping[int, str]]
"""Which of a pair's accepted predictions are rejected after all, by place, and why."""


def _never(_options: Any) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a filter policy as it is declared, in the file that holds it.

    Of its three checks it has one, seldom more. Each is made once for a policy from the rule's options,
    and is ``None`` where these ask for nothing. With the options of a rule from another package at their
    defaults it has to be: such a rule is asked only by policies that set one of its options.

    Attributes:
        label: What the page calls it.
        purpose: One sentence.
        place: When it is asked. Ours: 10 ties, 20 readable, 30 agreement, 40 flaws, 50 untagged, 60 margin,
            70 order consistency, 80 sample agreement, 90 keep one. A run's accuracy is read from its
            reasons as long as nothing is rejected before agreement but ties and the unreadable.
        options: Model of its options.
        reasons: What it gives as a reason, as it is stored (up to 30 characters), and in a page's words.
        alone: Makes the check of one prediction.
        together: Makes the check of one prediction beside the others of its pair.
        choice: Makes the choice among the accepted of a pair.
        needs_both_orders: Its check beside the others accepts nothing of a run that shows pairs in one order.
    """

    name: str
    label: str
    purpose: str
    place: int
    options: type[RuleOptions] = RuleOptions
    reasons: Mapping[str, str] = field(default_factory=dict)
    alone: Callable[[Any], Alone | None] = _never
    together: Callable[[Any], Together | None] = _never
    choice: Callable[[Any], Choice | None] = _never
    needs_both_orders: bool = False

    @cached_property
    def asks(self) -> dict[str, Option]:
        """Its options by name."""
        return options_of(self.options)

    def told(self, values: Mapping[str, Any]) -> RuleOptions:
        """Its options, as far as they are among these values.

        Raises:
            PolicyError: A value is of the wrong type or out of range.
        """
        own = {name: values[name] for name in self.asks if name in values}
        return filled(self.options, own, of="a policy's", error=PolicyError)


_WINNER = {(order, said): order.turn(said) for order in Order for said in Preference}
"""The side in dataset order by order and answer; found with plain strings too."""


def winner(candidate: Candidate) -> str | None:
    """The answer relative to dataset order."""
    answer = candidate.answer
    return None if answer is None else _WINNER[candidate.order, answer]  # type: ignore[index]
