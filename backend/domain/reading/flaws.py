"""What can be wrong with a judge's text, and how the store keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class Flaw(StrEnum):
    """Something wrong with a prediction's text. In the order of the store's bits: append only."""

    NO_ANSWER = "no_answer"
    UNREADABLE_ANSWER = "unreadable_answer"
    CONFLICTING_ANSWERS = "conflicting_answers"
    MISSING_REASONING = "missing_reasoning"
    UNCLOSED_REASONING = "unclosed_reasoning"
    CUT_OFF = "cut_off"
    TOTAL_MISMATCH = "total_mismatch"
    CONTRADICTS_TOTALS = "contradicts_totals"
    SCORE_OUT_OF_RANGE = "score_out_of_range"
    WRONG_MEDIUM = "wrong_medium"
    REPEATED_REASONING = "repeated_reasoning"
    UNTAGGED_ANSWER = "untagged_answer"
    """The answer can be read, but does not stand in ``<answer>``."""
    QUALIFIED_ANSWER = "qualified_answer"
    """The answer stands in no tag, and is not the only thing that is said of the sides there."""


ANSWER_FORM = frozenset({Flaw.UNTAGGED_ANSWER, Flaw.QUALIFIED_ANSWER})
"""Flaws of the answer's form, which a policy's ``untagged_answers`` decides about."""

_BITS = {flaw: 1 << position for position, flaw in enumerate(Flaw)}


def flaw_mask(flaws: Iterable[Flaw]) -> int:
    """``flaws`` as a bit mask: one bit each, in declaration order."""
    mask = 0
    for flaw in flaws:
        mask |= _BITS[flaw]
    return mask


@lru_cache(maxsize=4096)
def flaws_of(mask: int) -> frozenset[Flaw]:
    """The flaws in a bit mask. Bits that a newer Winnow added are ignored."""
    return frozenset(flaw for flaw, bit in _BITS.items() if mask & bit)
