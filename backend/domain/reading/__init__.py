"""What a judge's text says: its answer, its reasoning, its scores, and what is wrong with it.

The one room for reading. :mod:`.sections` takes a text apart; :mod:`.statement_words` makes letters of
an answer's words and :mod:`.rules` reads statements in them; :mod:`.forms` reads what is no sentence;
:mod:`.scores` reads the reasoning line by line.
"""

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

__all__ = [
    "ANSWER_FORM",
    "DimensionScore",
    "Flaw",
    "Verdict",
    "answer_of",
    "flaw_mask",
    "flaws_of",
    "parse_verdict",
    "reasoning_hash",
    "reasoning_of",
    "repeated_threshold",
]
