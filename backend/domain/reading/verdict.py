"""What parsing finds in a prediction.

:func:`parse_verdict` is pure, takes linear time and never raises: whatever a model writes, the
worst outcome is a verdict without an answer and with the flaws that say why.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from backend.domain.pairs import MediaKind, Preference
from backend.domain.reading.answers import Reading
from backend.domain.reading.flaws import Flaw
from backend.domain.reading.forms import reasons_in_object
from backend.domain.reading.scores import DimensionScore, Scores, read_scores
from backend.domain.reading.sections import Sections, take_apart
from backend.domain.reading.texts import read_tag, read_untagged

LOWEST_SCORE, HIGHEST_SCORE = 1, 10

# Scores are written with one or two decimals; their sum in binary is not exact.
_ROUNDING = 0.011


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
            self.answer, self.totals[0] if first is None else first, self.totals[1] if second is None else second
        )

    def to_scores_json(self) -> dict[str, Any]:
        """The scores as the store keeps them: ``{"dimensions": [[name, first, second], …],
        "totals": [first, second]}``."""
        return {
            "dimensions": [[score.name, score.first, score.second] for score in self.dimensions],
            "totals": list(self.totals),
        }


def parse_verdict(text: str, kind: MediaKind, *, finish_reason: str | None = None, use_cot: bool = True) -> Verdict:
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
    if use_cot and not (parts.marked and parts.reasoning) and not reasons_in_object(text):
        flaws.add(Flaw.MISSING_REASONING)

    answer, readings = _answer(parts, flaws)
    scores = read_scores(parts.reasoning)
    named = {reading.medium for reading in readings} - {None}
    # Reasoning that compares with the other medium in passing is fine; naming only it is not.
    if named - {kind} or (scores.named and kind not in scores.named):
        flaws.add(Flaw.WRONG_MEDIUM)
    for elsewhere in (parts.outside, "\n".join(parts.answers[:4])):
        if not scores.found and elsewhere != parts.reasoning:
            scores = read_scores(elsewhere)
    flaws |= _score_flaws(answer, scores)
    return Verdict(
        answer=answer,
        reasoning=parts.reasoning,
        dimensions=scores.dimensions,
        totals=scores.totals,
        flaws=frozenset(flaws),
    )


def reasoning_of(text: str) -> str:
    """The reasoning in a judge's text, as :func:`parse_verdict` finds it."""
    return take_apart(text).reasoning


def answer_of(text: str) -> tuple[Preference | None, frozenset[Flaw]]:
    """The answer in a judge's text as :func:`parse_verdict` reads it, with the flaws it has as an
    answer; for who needs nothing else."""
    flaws: set[Flaw] = set()
    answer, _ = _answer(take_apart(text), flaws)
    return answer, frozenset(flaws)


def _answer(parts: Sections, flaws: set[Flaw]) -> tuple[Preference | None, list[Reading]]:
    """The answer, and all that was read for it; what is wrong with it goes into ``flaws``."""
    # Each content once, because a text may repeat one tag a hundred thousand times.
    tagged = tuple(dict.fromkeys(parts.answers))
    between = [reading for content in dict.fromkeys(parts.unsure) if (reading := read_tag(content))]
    if tagged or between:
        readings = [reading for content in tagged if (reading := read_tag(content))]
        if len(readings) < len(tagged):
            flaws.add(Flaw.UNREADABLE_ANSWER)
        readings += between
        sides = {reading.side for reading in readings}
        if len(sides) > 1:
            flaws.add(Flaw.CONFLICTING_ANSWERS)
        return (sides.pop() if len(sides) == 1 else None), readings
    found = read_untagged(parts.outside)
    if found.reading is None:
        flaws.add(
            Flaw.CONFLICTING_ANSWERS if found.conflict else Flaw.UNREADABLE_ANSWER if found.anything else Flaw.NO_ANSWER
        )
        return None, []
    flaws.add(Flaw.UNTAGGED_ANSWER)
    if not found.reading.single:
        flaws.add(Flaw.QUALIFIED_ANSWER)
    return found.reading.side, [found.reading]


def _score_flaws(answer: Preference | None, read: Scores) -> set[Flaw]:
    flaws = set()
    dimensions, totals = read.dimensions, read.totals
    scores = [value for row in dimensions for value in (row.first, row.second) if value is not None]
    lowest = 0 if read.from_zero else LOWEST_SCORE
    if any(not lowest <= score <= HIGHEST_SCORE for score in scores):
        flaws.add(Flaw.SCORE_OUT_OF_RANGE)
    sums = _sums(dimensions)
    for stated, actual in zip(totals, sums, strict=True):
        if read.incomplete:
            # A line that looks like a dimension was not read: the sum of the others proves nothing.
            break
        if stated is not None and actual is not None and abs(stated - actual) > _ROUNDING:
            flaws.add(Flaw.TOTAL_MISMATCH)
    if answer is not None and answer is not Preference.TIE:
        best = tuple(stated if actual is None else actual for stated, actual in zip(totals, sums, strict=True))
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
