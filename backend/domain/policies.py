"""Filter policies: a value for every option of every rule, and the presets by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.domain.reading import ANSWER_FORM, Flaw
from backend.domain.rules.agreement import AGREEMENT
from backend.domain.rules.base import Alone, Choice, Rule, Together
from backend.domain.rules.readable import READABLE
from backend.domain.rules.registry import RULES, policy_options
from backend.domain.rules.ties import TIES
from backend.errors import PolicyError
from backend.foreign_text import quoted


@dataclass(frozen=True, slots=True)
class Plan:
    """The checks of a policy's active rules, in their order.

    Attributes:
        needs_both_orders: Nothing is accepted of a run that shows pairs in one order.
        tells_accuracy: The reasons tell which answers are wrong: what agreement does not reject, and nothing
            before it, is right.
    """

    alone: tuple[Alone, ...]
    together: tuple[Together, ...]
    choices: tuple[Choice, ...]
    needs_both_orders: bool
    tells_accuracy: bool

    @property
    def looks_at_pairs(self) -> bool:
        """Whether it compares the predictions of a pair, and does not look at each for itself."""
        return bool(self.together or self.choices)


class Policy:
    """What a prediction must be to be accepted.

    A rule of another package is part of it where one of its options is given. Never changed.

    Args:
        values: Options of the rules by name; the others have their defaults.

    Attributes:
        values: Every option of our own rules, and of those others that are part of it.

    Raises:
        PolicyError: No rule has such an option, or its value is of the wrong type or out of range.
    """

    def __init__(self, /, name: str = "custom", **values: Any) -> None:
        if not isinstance(name, str) or not name.strip():
            raise PolicyError(f"a policy's name cannot be {quoted(str(name))}", hint="give it a name, as text")
        self.name = name
        self._rules = [(rule, rule.told(values)) for rule in _asked(values)]
        self.values: dict[str, Any] = {}
        for rule, told in self._rules:
            for option in rule.asks:
                value = getattr(told, option)
                # A number stays as it was written: a policy that was stored with 3 holds no 3.0.
                self.values[option] = values.get(option, value) if isinstance(value, float) else value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and (self.name, self.values) == (other.name, other.values)

    def __hash__(self) -> int:
        return hash((self.name, frozenset(self.values.items())))

    def __repr__(self) -> str:
        return f"Policy({self.to_mapping()})"

    def but(self, **changes: Any) -> Policy:
        """The same policy with other values, ``name`` among them."""
        return Policy(**{"name": self.name, **self.values, **changes})

    @cached_property
    def plan(self) -> Plan:
        """Its checks, made once."""
        rules = sorted(self._rules, key=lambda one: one[0].place)
        alone = [(rule, check) for rule, told in rules if (check := rule.alone(told))]
        together = [(rule, beside) for rule, told in rules if (beside := rule.together(told))]
        return Plan(
            alone=tuple(check for _, check in alone),
            together=tuple(check for _, check in together),
            choices=tuple(choice for rule, told in rules if (choice := rule.choice(told))),
            needs_both_orders=any(rule.needs_both_orders for rule, _ in together),
            tells_accuracy=[rule for rule, _ in alone[:3]] == [TIES, READABLE, AGREEMENT],
        )

    def to_mapping(self) -> dict[str, Any]:
        """Every value, as JSON can hold it; :meth:`from_mapping` gives the same policy back."""
        options = {name: one for rule, _ in self._rules for name, one in rule.asks.items()}
        return {"name": self.name, **{name: options[name].plain(value) for name, value in self.values.items()}}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Policy:
        """A policy from JSON or TOML; what is left out has its default.

        Raises:
            PolicyError: No rule has an option of that name, or its value is of the wrong type or out of range.
        """
        if not isinstance(mapping, Mapping):
            raise PolicyError("a policy must be an object with named values", hint=_keys_hint())
        return cls(**{str(key): value for key, value in mapping.items()})


def _asked(values: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Our own rules, and those of other packages that have one of these options."""
    asked = RULES.own
    unknown = set(values).difference(*(rule.asks for rule in asked))
    if unknown:
        asked += tuple(rule for rule in RULES.usable if unknown & rule.asks.keys())
        unknown = unknown.difference(*(rule.asks for rule in asked))
    if unknown:
        raise PolicyError(f"a policy has no {', '.join(sorted(unknown))}", hint=_keys_hint())
    return asked


def _keys_hint() -> str:
    return f"allowed keys: {', '.join(('name', *policy_options()))}; a rule of another package needs that installed"


_PRESETS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("agreement", "the answer equals the human preference", {}),
    # Every flaw there is makes a text a bad example of what the judge should write; which form of
    # answer is one of them, `untagged_answers` says.
    ("clean", "agreement, and no flaw in the text", {"refused_flaws": frozenset(Flaw) - ANSWER_FORM}),
    ("confident", "agreement, by a margin of 3 or more", {"min_margin": 3}),
    ("order-consistent", "agreement, and the same winner in both orders", {"order_consistency": True}),
    ("consensus", "agreement, and three of four samples name the same winner", {"min_sample_agreement": 0.75}),
    ("one-per-pair", "agreement; of each pair the one with the widest margin", {"keep": "one_per_pair"}),
)
PRESETS = {name: Policy(name, **values) for name, _, values in _PRESETS}
"""The policies that have a name. ``agreement``, the field's rule, is the default."""
ABOUT = {name: about for name, about, _ in _PRESETS}
"""What each accepts."""


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
