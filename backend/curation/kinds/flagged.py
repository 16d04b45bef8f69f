"""What somebody flagged and nobody has settled since."""

from __future__ import annotations

from backend.curation.kinds.base import QueueKind

FLAGGED = QueueKind(
    name="flagged",
    label="Flagged",
    purpose="Flagged by somebody and not settled since.",
    nothing="nobody has flagged anything that is not settled",
    pick=lambda picks, runs, _options: picks.flagged(runs),
)
