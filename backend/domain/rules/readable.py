"""Readability: there is no answer to compare, which is not the same as a wrong one."""

from __future__ import annotations

from backend.domain.rules.base import Alone, Candidate, Rule, RuleOptions


def _alone(_options: RuleOptions) -> Alone:
    def check(one: Candidate) -> str | None:
        return "unreadable" if one.answer is None else None

    return check


READABLE = Rule(
    name="readable",
    label="Readable",
    purpose="Rejects what holds no answer that can be read; every policy asks for that.",
    place=20,
    reasons={"unreadable": "unreadable"},
    alone=_alone,
)
