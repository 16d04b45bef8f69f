"""What parsing finds in a prediction.

:func:`parse_verdict` is pure, takes linear time and never raises: whatever a model writes, the
worst outcome is a verdict without an answer and with the flaws that say why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from backend.domain.answers import Reading, last_claims, read_answer
from backend.domain.pairs import MediaKind, Preference
from backend.domain.scores import DimensionScore, read_scores
from backend.domain.sections import take_apart
from backend.domain.sides import named_media

__all__ = [
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

LOWEST_SCORE, HIGHEST_SCORE = 1, 10

# Scores are written with one or two decimals; their sum in binary is not exact.
_ROUNDING = 0.011


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


_BITS = {flaw: 1 << position for position, flaw in enumerate(Flaw)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What parsing finds in one prediction. Everything is relative to the shown order.

    Attributes:
        answer: ``None`` when there is none, none that can be read, or several that differ.
        totals: As stated in the text, ``(first, second)``; ``None`` where unstated.
    """

    answer: Preference | None
    reasoning: str
    dimensions: tuple[DimensionScore, ...]
    totals: tuple[float | None, float | None]
    flaws: frozenset[Flaw]

    @property
    def margin(self) -> float | None:
        """Total of the answered side minus the other's (sums of scores, else the stated totals);
        for a tie the absolute difference; ``None`` without an answer or without totals."""
        first, second = _sums(self.dimensions)
        return _margin(
            self.answer,
            self.totals[0] if first is None else first,
            self.totals[1] if second is None else second,
        )

    def to_scores_json(self) -> dict[str, Any]:
        """The scores as the store keeps them: ``{"dimensions": [[name, first, second], …],
        "totals": [first, second]}``."""
        return {
            "dimensions": [[score.name, score.first, score.second] for score in self.dimensions],
            "totals": list(self.totals),
        }


def parse_verdict(
    text: str, kind: MediaKind, *, finish_reason: str | None = None, use_cot: bool = True
) -> Verdict:
    """Read a judge's text.

    Args:
        kind: What the judge was shown; an answer about the other medium is flawed, but read.
        finish_reason: The engine's word; ``"length"`` means cut off at the token limit.
        use_cot: Reasoning was asked for, so that its absence is a flaw.
    """
    parts = take_apart(text)
    flaws: set[Flaw] = set()
    if finish_reason == "length":
        flaws.add(Flaw.CUT_OFF)
    if not parts.closed:
        flaws.add(Flaw.UNCLOSED_REASONING)
    if use_cot and not (parts.opened and parts.reasoning):
        flaws.add(Flaw.MISSING_REASONING)

    readings = _readings(parts.answers, parts.outside, flaws)
    answer = _agreed(readings, flaws)
    named = {reading.medium for reading in readings} - {None}
    # Reasoning that compares with the other medium in passing is fine; naming only it is not.
    said = named_media(parts.reasoning)
    if named - {kind} or (said and kind not in said):
        flaws.add(Flaw.WRONG_MEDIUM)

    dimensions, totals = read_scores(parts.reasoning)
    if not dimensions and totals == (None, None) and parts.outside != parts.reasoning:
        dimensions, totals = read_scores(parts.outside)
    flaws |= _score_flaws(answer, dimensions, totals)
    return Verdict(
        answer=answer,
        reasoning=parts.reasoning,
        dimensions=dimensions,
        totals=totals,
        flaws=frozenset(flaws),
    )


def reasoning_of(text: str) -> str:
    """The reasoning in a judge's text, as :func:`parse_verdict` finds it."""
    return take_apart(text).reasoning


def answer_of(text: str) -> tuple[Preference | None, frozenset[Flaw]]:
    """The answer in a judge's text as :func:`parse_verdict` reads it, with the flaws it has as an
    answer; for who needs nothing else."""
    parts = take_apart(text)
    flaws: set[Flaw] = set()
    answer = _agreed(_readings(parts.answers, parts.outside, flaws), flaws)
    return answer, frozenset(flaws)


def _readings(tagged: Iterable[str], outside: str, flaws: set[Flaw]) -> list[Reading]:
    # Each content once, because a text may repeat one tag a hundred thousand times.
    claims = tuple(dict.fromkeys(tagged))
    untagged = not claims
    if untagged:
        claims = last_claims(outside)
    readings = [reading for claim in claims if (reading := read_answer(claim)) is not None]
    if not claims:
        flaws.add(Flaw.NO_ANSWER)
    elif len(readings) < len(claims):
        flaws.add(Flaw.UNREADABLE_ANSWER)
        # Untagged claims are the last of their text: of one that is unclear, the rest proves nothing.
        return [] if untagged else readings
    elif untagged:
        flaws.add(Flaw.UNTAGGED_ANSWER)
    return readings


def _agreed(readings: Iterable[Reading], flaws: set[Flaw]) -> Preference | None:
    sides = {reading.side for reading in readings}
    if len(sides) > 1:
        flaws.add(Flaw.CONFLICTING_ANSWERS)
        return None
    return sides.pop() if sides else None


def _score_flaws(
    answer: Preference | None,
    dimensions: tuple[DimensionScore, ...],
    totals: tuple[float | None, float | None],
) -> set[Flaw]:
    flaws = set()
    scores = [value for row in dimensions for value in (row.first, row.second) if value is not None]
    if any(not LOWEST_SCORE <= score <= HIGHEST_SCORE for score in scores):
        flaws.add(Flaw.SCORE_OUT_OF_RANGE)
    sums = _sums(dimensions)
    for stated, actual in zip(totals, sums, strict=True):
        if stated is not None and actual is not None and abs(stated - actual) > _ROUNDING:
            flaws.add(Flaw.TOTAL_MISMATCH)
    if answer is not None and answer is not Preference.TIE:
        best = tuple(
            stated if actual is None else actual
            for stated, actual in zip(totals, sums, strict=True)
        )
        for pair in (best, totals):
            margin = _margin(answer, *pair)
            if margin is not None and margin < -_ROUNDING:
                flaws.add(Flaw.CONTRADICTS_TOTALS)
    return flaws


def _sums(dimensions: tuple[DimensionScore, ...]) -> tuple[float | None, float | None]:
    """Sum of each side's scores; ``None`` for a side of which any is unknown."""
    first = [score.first for score in dimensions if score.first is not None]
    second = [score.second for score in dimensions if score.second is not None]
    count = len(dimensions)
    return (
        round(sum(first), 6) if count and len(first) == count else None,
        round(sum(second), 6) if count and len(second) == count else None,
    )


def _margin(answer: Preference | None, first: float | None, second: float | None) -> float | None:
    if answer is None or first is None or second is None:
        return None
    difference = round(first - second, 6)
    if answer is Preference.TIE:
        return abs(difference)
    return difference if answer is Preference.FIRST else -difference


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


def reasoning_hash(reasoning: str) -> int | None:
    """Signed 64-bit hash of the normalised reasoning; ``None`` when there is none."""
    words = " ".join(reasoning.split()).casefold()
    if not words:
        return None
    digest = hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def repeated_threshold(pairs: int) -> int:
    """On how many different pairs of a run the same reasoning must stand to be called repeated.

    One in a hundred, but at least three: two alike may be two captions alike.
    """
    return max(3, -(-pairs // 100))
