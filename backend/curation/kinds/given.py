"""What a filter in Browse found; its ids are given."""

from __future__ import annotations

from backend.curation.kinds.base import QueueKind

FILTER = QueueKind(
    name="filter", label="From Browse", purpose="What a filter found.", nothing="change the filter", pick=None
)
