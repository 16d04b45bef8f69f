"""Which rules there are, and what they are asked by."""

from __future__ import annotations

from backend.domain.rules.base import Rule
from backend.extensions import Registry
from backend.options import Option

RULES: Registry[Rule] = Registry(
    "policy rule",
    "winnow.policy_rules",
    {
        "agreement": "backend.domain.rules.agreement:AGREEMENT",
        "ties": "backend.domain.rules.ties:TIES",
        "readable": "backend.domain.rules.readable:READABLE",
        "margin": "backend.domain.rules.margin:MARGIN",
        "flaws": "backend.domain.rules.flaws:FLAWS",
        "untagged": "backend.domain.rules.untagged:UNTAGGED",
        "sample_agreement": "backend.domain.rules.sample_agreement:SAMPLE_AGREEMENT",
        "order_consistency": "backend.domain.rules.order_consistency:ORDER_CONSISTENCY",
        "keep_one": "backend.domain.rules.keep_one:KEEP_ONE",
    },
)
"""In the order in which stored policies hold their options; a rule's ``place`` says when it is asked."""


def policy_options() -> dict[str, Option]:
    """Every option of every rule that can be loaded."""
    found: dict[str, Option] = {}
    for rule in RULES.usable:
        for name, one in rule.asks.items():
            found.setdefault(name, one)
    return found


def reasons() -> dict[str, str]:
    """Every reason of a decision, in a page's words."""
    return {name: words for rule in RULES.usable for name, words in rule.reasons.items()}
