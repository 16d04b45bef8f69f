"""What the present person sees. What they may do is decided by the backend, by the same table."""

from __future__ import annotations

from backend.domain.operations import Operation, may
from dashboard.identity import person


def i_may(operation: Operation) -> bool:
    """Whether to draw what does this."""
    return may(person(), operation)
