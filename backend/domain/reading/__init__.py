"""What a judge's text says: its answer, its reasoning, its scores, and what is wrong with it.

The one room for reading. :mod:`.sections` takes a text apart; :mod:`.statement_words` makes letters of
an answer's words and :mod:`.rules` reads statements in them; :mod:`.forms` reads what is no sentence;
:mod:`.scores` reads the reasoning line by line.
"""

from backend.domain.reading.explain import Step, explain
from backend.domain.reading.flaws import ANSWER_FORM, Flaw, flaw_mask, flaws_of
from backend.domain.reading.scores import DimensionScore
from backend.domain.reading.verdict import (
    Verdict,
    answer_of,
    parse_verdict,
    reasoning_hash,
    reasoning_of,
    repeated_threshold,
)

READER = 2
"""Which reading this is: it grows whenever a text may be read otherwise than before, so that a run knows
by which its stored verdicts were read."""

__all__ = [
    "ANSWER_FORM",
    "READER",
    "DimensionScore",
    "Flaw",
    "Step",
    "Verdict",
    "answer_of",
    "explain",
    "flaw_mask",
    "flaws_of",
    "parse_verdict",
    "reasoning_hash",
    "reasoning_of",
    "repeated_threshold",
]
