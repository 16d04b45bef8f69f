"""What somebody looks for among predictions: a filter, and its form in a URL.

Everything is optional and holds together ("and"); where a field takes several values, one of them
has to hold ("or"). Sides are those of each prediction's shown order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from backend.domain.pairs import MediaKind
from backend.domain.reading import Flaw
from backend.domain.rules.registry import reasons

Sort = Literal["oldest", "newest", "margin", "-margin", "length", "-length"]
Decision = Literal["accepted", "rejected"]
Measure = Literal["first", "second", "difference"]
"""Of a dimension's two scores: one side's, or first minus second."""

Bound = Annotated[float, Field(allow_inf_nan=False)]
"""An end of a range. Nothing is at least, or at most, what is no number."""


def _known(reason: str) -> str:
    if reason not in reasons():
        raise ValueError("no rule has this reason")
    return reason


Reason = Annotated[str, AfterValidator(_known)]
"""A reason of the filter's decision, as it is stored."""

ANY_FLAW = "any"
NOT_REVIEWED = "none"
_OF_DIMENSION = ("measure", "score_min", "score_max")


class BrowseFilter(BaseModel):
    """One choice of predictions, and the order in which to show them.

    Attributes:
        decision: The filter policy's; ``effective`` is after rulings.
        ruling: ``none`` is "not reviewed".
        reviewer: Who has ruled on it, also where somebody else's ruling counts; together with
            ``ruling``, whose ruling counts.
        answer: ``none`` is "no readable answer".
        flaw: ``any`` is "any flaw at all".
        dimension: Its name, in any case; ``measure`` is what the range ``score_min`` to
            ``score_max`` is about, and none of the three means anything without it.
        text: Words that all stand in the caption or in what the judge wrote.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: tuple[int, ...] = ()
    decision: Decision | None = None
    effective: Decision | None = None
    reason: tuple[Reason, ...] = ()
    reviewed: bool | None = None
    reviewer: str | None = Field(None, max_length=200)
    ruling: tuple[Literal["accept", "reject", "relabel", "flag", "none"], ...] = ()
    kind: MediaKind | None = None
    answer: tuple[Literal["first", "second", "tie", "none"], ...] = ()
    flaw: tuple[Flaw | Literal["any"], ...] = ()
    margin_min: Bound | None = None
    margin_max: Bound | None = None
    dimension: str | None = Field(None, max_length=100)
    measure: Measure = "difference"
    score_min: Bound | None = None
    score_max: Bound | None = None
    tag: str | None = Field(None, max_length=100)
    text: str | None = Field(None, max_length=500)
    sort: Sort = "oldest"

    @property
    def words(self) -> tuple[str, ...]:
        """The words of ``text``."""
        return tuple((self.text or "").split())

    def without(self, name: str) -> Self:
        """The filter without one of its parts."""
        default = type(self).model_fields[name].default
        changes: dict[str, Any] = {name: default}
        if name == "dimension":
            changes |= dict.fromkeys(_OF_DIMENSION, None) | {"measure": "difference"}
        return self.model_copy(update=changes)

    def without_idle(self) -> tuple[Self, list[str]]:
        """The filter without what cannot be applied, and the names of that."""
        if self.dimension is not None:
            return self, []
        idle = [name for name in _OF_DIMENSION if name in self.model_dump(exclude_defaults=True)]
        return self.without("dimension"), idle

    def to_query(self) -> dict[str, str]:
        """The form it has in a URL; :meth:`from_query` reads it."""
        query: dict[str, str] = {}
        for name, value in self.model_dump(mode="json", exclude_defaults=True).items():
            if isinstance(value, list):
                query[name] = ",".join(map(str, value))
            elif isinstance(value, bool):
                query[name] = "yes" if value else "no"
            else:
                query[name] = f"{value:g}" if isinstance(value, float) else str(value)
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[Self, list[str]]:
        """The filter in a URL, and the names of what in it cannot be read or applied and is left out."""
        given: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            if name in query and query[name] != "":
                value: Any = query[name]
                if isinstance(field.default, tuple):
                    value = tuple(part for part in value.split(",") if part)
                elif name == "reviewed":
                    value = {"yes": True, "no": False}.get(value, value)
                given[name] = value
        refused: list[str] = []
        while True:
            try:
                found, idle = cls.model_validate(given).without_idle()
                return found, refused + idle
            except ValidationError as error:
                for problem in error.errors():
                    name = str(problem["loc"][0])
                    if given.pop(name, None) is not None:
                        refused.append(name)
