"""What things are called on the pages: one name for each, wherever it is shown."""

from __future__ import annotations

from backend.domain.rules.registry import reasons

RULINGS = {"accept": "accepted", "reject": "rejected", "relabel": "relabelled", "flag": "flagged"}
"""What a person did."""

ISSUES = {
    "broken": "broken row",
    "missing": "media missing",
    "unreadable": "media unreadable",
    "conflict": "contradicted",
    "duplicate": "listed twice",
    "tie": "recorded tie",
    "note": "note",
}
"""What can be wrong with a row of a dataset, by the importer's code; a tie is only remarkable."""

BETTER = {"first": "first is better", "second": "second is better", "tie": "neither is better"}
"""A label, of the order that is named or shown beside it."""


def reason(name: str) -> str:
    """A filter's reason in words."""
    return reasons().get(name, spaced(name))


def spaced(name: str) -> str:
    """A name of the backend's that is plain English but for its underscores: a flaw, say."""
    return name.replace("_", " ")
