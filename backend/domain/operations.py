"""What changes a workspace, and who may do it: the one table that everything asks.

What the pages draw, what the routes answer and what the workspace's methods refuse comes from here. A
method that changes something carries its operation (:func:`guarded`), so that its check cannot be
forgotten where it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from backend.domain.people import Person, Role
from backend.errors import Forbidden

P = ParamSpec("P")
R = TypeVar("R")


class Operation(StrEnum):
    """One thing that a person can do, in the words that follow "eve may not"."""

    RULE = "rule on predictions"
    MAKE_QUEUE = "make a queue"
    CLOSE_QUEUE = "close a queue"
    KEEP_SETTINGS = "keep settings"
    START_DEMO = "start the demo"
    ADD_DATASET = "add a dataset"
    START_RUN = "start a run"
    CANCEL_RUN = "cancel a run"
    RESUME_RUN = "resume a run"
    DECIDE_ANEW = "decide a run anew"
    PARSE_AGAIN = "parse a run again"
    RULE_ON_ALL = "rule on many predictions at once"
    UNDO_ACT = "take back many rulings at once"
    FREEZE = "freeze a set"
    EXPORT = "export a set"
    START_TRAINING = "start a training"
    STOP_TRAINING = "stop a training"
    RESUME_TRAINING = "resume a training"
    CLEAR_TRAINING = "clear a training"
    EVALUATE = "evaluate a checkpoint"
    START_LOOP = "start a loop"
    GO_ON_WITH_LOOP = "go on with a loop"
    CANCEL_LOOP = "cancel a loop"


_REVIEWERS = {Operation.RULE, Operation.MAKE_QUEUE, Operation.CLOSE_QUEUE, Operation.KEEP_SETTINGS}
LEAST_ROLE: Mapping[Operation, Role] = MappingProxyType(
    {one: Role.REVIEWER if one in _REVIEWERS else Role.OPERATOR for one in Operation}
)
"""Who may: this role and every one above it."""
_RANK = (Role.ONLOOKER, Role.REVIEWER, Role.OPERATOR)


def may(person: Person, operation: Operation) -> bool:
    """Whether a person's role allows it."""
    return _RANK.index(person.role) >= _RANK.index(LEAST_ROLE[operation])


def require(person: Person, operation: Operation) -> None:
    """Refuse what a person's role does not allow.

    Raises:
        Forbidden: It does not, or the workspace is read-only.
    """
    if may(person, operation):
        return
    if person.role is Role.ONLOOKER:
        raise Forbidden(
            f"this workspace is read-only: nobody may {operation.value} here",
            hint="make its folder writable, or copy it to a place that is",
        )
    raise Forbidden(
        f"{person.name or 'a reviewer'} may not {operation.value}",
        hint="an operator can; operators are named in WINNOW_OPERATORS",
    )


class Acting(Protocol):
    """What does something in somebody's name."""

    @property
    def person(self) -> Person: ...


A = TypeVar("A", bound=Acting)


def guarded(operation: Operation) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """Have a method or function of an :class:`Acting` ask the table before anything else."""

    def decorate(act: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        @wraps(act)
        def checked(self: A, /, *args: P.args, **named: P.kwargs) -> R:
            require(self.person, operation)
            return act(self, *args, **named)

        checked.operation = operation  # type: ignore[attr-defined]
        return checked

    return decorate


def operation_of(act: Any) -> Operation | None:
    """The operation that a method is guarded by; ``None`` where it is not."""
    found = getattr(act, "operation", None)
    return found if isinstance(found, Operation) else None
