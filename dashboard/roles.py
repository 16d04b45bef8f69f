"""What the present person sees. What they may do is decided by the backend."""

from __future__ import annotations

from backend.domain.people import Role
from dashboard.space import person


def is_operator() -> bool:
    """Whether to draw what only operators may use."""
    return person().role is Role.OPERATOR
