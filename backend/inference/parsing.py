"""From what a judge wrote to what the store keeps of it, when a run makes it and whenever it is read
again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.domain.pairs import MediaKind
from backend.domain.reading import flaw_mask, parse_verdict, reasoning_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The columns of a verdict that follow from the text alone; see :mod:`backend.store.schema`."""

    answer: str | None
    margin: float | None
    flaws: int
    reasoning_hash: int | None
    scores: dict[str, Any]


def parsed(text: str, kind: MediaKind, *, finish_reason: str | None, use_cot: bool) -> Parsed:
    """Parse a judge's text; every argument as for :func:`backend.domain.reading.parse_verdict`."""
    verdict = parse_verdict(text, kind, finish_reason=finish_reason, use_cot=use_cot)
    return Parsed(
        answer=verdict.answer.value if verdict.answer else None,
        margin=verdict.margin,
        flaws=flaw_mask(verdict.flaws),
        reasoning_hash=reasoning_hash(verdict.reasoning),
        scores=verdict.to_scores_json(),
    )
