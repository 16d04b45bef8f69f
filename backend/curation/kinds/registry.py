"""Which kinds of queues there are."""

from __future__ import annotations

from backend.curation.kinds.base import QueueKind
from backend.extensions import Registry

KINDS: Registry[QueueKind] = Registry(
    "kind of queue",
    "winnow.queue_kinds",
    {
        "unreviewed": "backend.curation.kinds.unreviewed:UNREVIEWED",
        "audit_accepted": "backend.curation.kinds.audits:ACCEPTED",
        "audit_rejected": "backend.curation.kinds.audits:REJECTED",
        "wide_margin": "backend.curation.kinds.wide_margin:WIDE_MARGIN",
        "suspect_labels": "backend.curation.kinds.suspect_labels:SUSPECT_LABELS",
        "flawed": "backend.curation.kinds.flawed:FLAWED",
        "flagged": "backend.curation.kinds.flagged:FLAGGED",
        "filter": "backend.curation.kinds.given:FILTER",
    },
)


def offered() -> dict[str, QueueKind]:
    """The kinds that a person makes a queue of by name."""
    return {kind.name: kind for kind in KINDS.usable if kind.pick is not None}
