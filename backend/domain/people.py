"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backend.errors import Forbidden


class Role(StrEnum):
    """What a person may do. An operator may do all that a reviewer may."""

    REVIEWER = "reviewer"
    """Looks, rules, makes queues."""
    OPERATOR = "operator"
    """Also starts, stops and deletes what costs machines or data."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the dashboard, or at the command line."""

    name: str
    role: Role

    def require(self, role: Role, what: str) -> None:
        """Refuse ``what`` to somebody whose role does not allow it.

        Raises:
            Forbidden: The person is only a reviewer.
        """
        if role is Role.OPERATOR and self.role is not Role.OPERATOR:
            raise Forbidden(
                f"{self.name or 'a reviewer'} may not {what}",
                hint="an operator can; operators are named in WINNOW_OPERATORS",
            )


LOCAL = Person("", Role.OPERATOR)
"""Whoever can run the command can also write the files: no role would hold them back."""
