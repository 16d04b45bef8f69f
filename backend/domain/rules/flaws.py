"""Flaws: what is wrong with a text."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from backend.domain.reading import Flaw, flaw_mask
from backend.domain.rules.base import Alone, Candidate, Rule, RuleOptions
from backend.options import option

FLAWED = {"flawed": "flawed"}


class _Options(RuleOptions):
    refused_flaws: frozenset[Flaw] = option(
        frozenset(),
        "None of these may be in the text",
        when="to keep texts out that a judge should not learn to write",
        group="Text",
        label="None of these flaws",
        flag="--refused-flaw",
    )

    @field_validator("refused_flaws", mode="before")
    @classmethod
    def _from_a_list(cls, value: Any) -> Any:
        return frozenset(map(Flaw, value)) if isinstance(value, list | tuple | set | frozenset) else value


def refusing(mask: int) -> Alone | None:
    """The check that no flaw of a mask is there."""

    def check(one: Candidate) -> str | None:
        return "flawed" if one.flaws & mask else None

    return check if mask else None


FLAWS = Rule(
    name="flaws",
    label="Flaws",
    purpose="Rejects texts with any of the chosen flaws.",
    place=40,
    options=_Options,
    reasons=FLAWED,
    alone=lambda options: refusing(flaw_mask(options.refused_flaws)),
)
