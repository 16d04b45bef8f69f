"""What nobody has ruled on."""

from __future__ import annotations

from backend.curation.kinds.base import QueueKind
from backend.domain.browse import BrowseFilter

UNREVIEWED = QueueKind(
    name="unreviewed",
    label="Unreviewed",
    purpose="Everything nobody has ruled on, oldest first.",
    nothing="everything has been reviewed; make an audit instead",
    pick=lambda picks, runs, _options: picks.matching(runs, BrowseFilter(reviewed=False)),
)
