"""Media that a set names and that are not there any more."""

from __future__ import annotations

import os

from backend.export.rows import ExportRow

MOST = 100_000
"""So many are told apart; past that it is clear enough that the folder is not there."""


class Missing:
    """The media of exported rows that are missing now."""

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}
        self._looked_at: tuple[str, str] | None = None

    def look(self, row: ExportRow) -> None:
        """Look for a row's media; a pair's further samples, which follow it, are not looked for again."""
        media = (row.first, row.second)
        if media == self._looked_at or len(self._paths) >= MOST:
            return
        self._looked_at = media
        for path in media:
            if not os.path.exists(path):  # noqa: PTH110 - a Path for each would take twice as long
                self._paths[path] = None

    def line(self) -> str | None:
        """How many, and one of them; ``None`` when all are there."""
        if not self._paths:
            return None
        count, one = len(self._paths), next(iter(self._paths))
        if count == 1:
            return f"1 medium of the set is missing now: {one}"
        least = "at least " if count >= MOST else ""
        return f"{least}{count:,} media of the set are missing now, such as {one}"
