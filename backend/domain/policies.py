"""Filter policies: what a prediction must be to be kept, and the presets by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from backend.domain.reading import ANSWER_FORM, Flaw, flaw_mask
from backend.errors import PolicyError
from backend.foreign_text import quoted

_KEEP = ("all", "one_per_pair")
UNTAGGED = ("single", "all", "none")
"""The values of ``untagged_answers``, the default first."""


@dataclass(frozen=True)
class Policy:
    """What a prediction must be to be accepted.

    Attributes:
        require_agreement: The answer must equal the human preference.
        accept_ties: Pairs whose recorded preference is a tie take part; else they are set aside.
        min_margin: Lowest margin of the answered side's total over the other's. A prediction
            without totals does not reach it.
        refused_flaws: None of these may be in the text.
        untagged_answers: Of answers that stand in no tag, those are taken that are the ``single`` and
            unqualified statement of their text, ``all`` that can be read, or ``none``.
        min_sample_agreement: Share, in (0, 1], of all predictions of the pair that must name the
            same winner.
        order_consistency: The pair must have been judged in both orders, with the same winner.
        keep: All accepted predictions of a pair, or only the one of highest margin.

    Raises:
        PolicyError: A value is of the wrong type or out of range.
    """

    name: str = "custom"
    require_agreement: bool = True
    accept_ties: bool = False
    min_margin: float | None = None
    refused_flaws: frozenset[Flaw] = frozenset()
    untagged_answers: Literal["single", "all", "none"] = "single"
    min_sample_agreement: float | None = None
    order_consistency: bool = False
    keep: Literal["all", "one_per_pair"] = "all"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise _bad("name", self.name, "give it a name, as text")
        for key in ("require_agreement", "accept_ties", "order_consistency"):
            if not isinstance(getattr(self, key), bool):
                raise _bad(key, getattr(self, key), "use true or false")
        margin, share = self.min_margin, self.min_sample_agreement
        if margin is not None and not (_is_number(margin) and margin >= 0):
            raise _bad("min_margin", margin, "use a number from 0 up, or null")
        if share is not None and not (_is_number(share) and 0 < share <= 1):
            raise _bad("min_sample_agreement", share, "use a number above 0 and up to 1, or null")
        if self.untagged_answers not in UNTAGGED:
            raise _bad("untagged_answers", self.untagged_answers, f"use one of: {', '.join(UNTAGGED)}")
        if self.keep not in _KEEP:
            raise _bad("keep", self.keep, f"use one of: {', '.join(_KEEP)}")

    @property
    def refused_mask(self) -> int:
        """The flaws that are refused, those of an untagged answer among them, as a bit mask."""
        untagged = {"single": frozenset({Flaw.QUALIFIED_ANSWER}), "all": frozenset[Flaw](), "none": ANSWER_FORM}[
            self.untagged_answers
        ]
        return flaw_mask(self.refused_flaws | untagged)

    def to_mapping(self) -> dict[str, Any]:
        """Every field, as JSON can hold it; :meth:`from_mapping` gives the same policy back."""
        mapping: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        mapping["refused_flaws"] = [flaw.value for flaw in Flaw if flaw in self.refused_flaws]
        return mapping

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Policy:
        """A policy from JSON or TOML; what is left out has its default.

        Raises:
            PolicyError: A key is unknown, or a value is of the wrong type or out of range.
        """
        if not isinstance(mapping, Mapping):
            raise PolicyError("a policy must be an object with named values", hint=_keys_hint())
        allowed = {field.name for field in fields(cls)}
        unknown = sorted(str(key) for key in mapping if key not in allowed)
        if unknown:
            raise PolicyError(f"a policy has no {', '.join(unknown)}", hint=_keys_hint())
        values = dict(mapping)
        if "refused_flaws" in values:
            values["refused_flaws"] = _flaws(values["refused_flaws"])
        return cls(**values)


def _flaws(value: object) -> frozenset[Flaw]:
    hint = f"use a list of: {', '.join(flaw.value for flaw in Flaw)}"
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise _bad("refused_flaws", value, hint)
    try:
        return frozenset(Flaw(item) for item in value)
    except ValueError as error:
        raise _bad("refused_flaws", value, hint) from error


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _bad(key: str, value: object, hint: str) -> PolicyError:
    return PolicyError(f"a policy's {key} cannot be {quoted(str(value))}", hint=hint)


def _keys_hint() -> str:
    return f"allowed keys: {', '.join(field.name for field in fields(Policy))}"


PRESETS: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy(name="agreement"),
        # Every flaw there is makes a text a bad example of what the judge should write; which form of
        # answer is one of them, `untagged_answers` says.
        Policy(name="clean", refused_flaws=frozenset(Flaw) - ANSWER_FORM),
        Policy(name="confident", min_margin=3),
        Policy(name="order-consistent", order_consistency=True),
        Policy(name="consensus", min_sample_agreement=0.75),
        Policy(name="one-per-pair", keep="one_per_pair"),
    )
}
"""The policies that have a name. ``agreement``, the field's rule, is the default."""


def load_policy(name_or_mapping: str | Mapping[str, Any]) -> Policy:
    """A preset by its name, or a policy from its mapping.

    Raises:
        PolicyError: There is no such preset, or the mapping is none of a policy.
    """
    if not isinstance(name_or_mapping, str):
        return Policy.from_mapping(name_or_mapping)
    preset = PRESETS.get(name_or_mapping)
    if preset is None:
        raise PolicyError(
            f"there is no policy named {quoted(name_or_mapping)}",
            hint=f"use one of: {', '.join(PRESETS)}; or a file that holds a policy",
        )
    return preset
