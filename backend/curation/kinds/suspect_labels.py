"""Pairs whose recorded preference is contradicted by answers that agree, and which nobody has looked at."""

from __future__ import annotations

from backend.curation.kinds.base import KindOptions, QueueKind
from backend.options import option


class _Options(KindOptions):
    votes: int = option(
        2,
        "Readable answers that a pair needs",
        when="more where there are many samples, orders or runs",
        group="Votes",
        label="Readable answers, at least",
        ge=1,
        le=100_000,
    )
    agreement: float = option(
        1.0,
        "Share of the answers that must be against the label",
        when="lower it to see pairs that some answers confirm",
        group="Votes",
        label="Share against the label",
        step=0.05,
        gt=0.5,
        le=1,
    )


SUSPECT_LABELS = QueueKind(
    name="suspect_labels",
    label="Suspect labels",
    purpose="Samples, orders or runs agree with each other against the recorded preference; each pair says "
    "which. Pairs that somebody has ruled on are left out.",
    nothing="needs several samples, orders or runs that agree on a pair nobody ruled on",
    pick=lambda picks, runs, options: picks.suspect_labels(runs, options.votes, options.agreement),
    options=_Options,
    doubts_labels=True,
)
