"""Who is asking. What they may do: :mod:`backend.domain.operations`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do. Each may do all that the ones before it may."""

    ONLOOKER = "onlooker"
    """Looks. Everybody at a workspace that cannot be written."""
    REVIEWER = "reviewer"
    """Also rules and makes queues."""
    OPERATOR = "operator"
    """Also starts, stops and deletes what costs machines or data."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the dashboard, or at the command line."""

    name: str
    role: Role


LOCAL = Person("", Role.OPERATOR)
"""Whoever can run the command can also write the files: no role would hold them back."""
