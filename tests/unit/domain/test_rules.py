"""What holds of every rule of a policy, ours and anybody's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from backend.domain.filtering import PRESETS, Policy, Said, decide_pair
from backend.domain.rules.base import Rule
from backend.domain.rules.registry import RULES, policy_options, reasons
from backend.errors import PolicyError
from backend.options import Option
from tests.unit.domain.test_filtering import POLICY, predictions_of_a_pair

rules = pytest.mark.parametrize("name", list(RULES))
EVERY_OPTION = pytest.mark.parametrize("option", policy_options().values(), ids=lambda one: one.name)

OTHERWISE = {
    "require_agreement": False,
    "accept_ties": True,
    "min_margin": 2,
    "refused_flaws": ["cut_off", "untagged_answer"],
    "untagged_answers": "none",
    "min_sample_agreement": 0.5,
    "order_consistency": True,
    "keep": "one_per_pair",
}
"""A value of each option that is not its default, as JSON holds it."""


@rules
def test_a_rule_is_declared_under_the_name_it_is_listed_by_with_words_for_all_it_says(name: str) -> None:
    rule = RULES[name]
    assert rule.name == name
    assert rule.label and rule.purpose.endswith(".")
    assert rule.reasons and all(rule.reasons.values())
    assert all(len(reason) <= 30 for reason in rule.reasons), "the store's column is that wide"
    assert all(one.help and one.when and one.group and one.label for one in rule.asks.values())


def test_no_two_rules_share_an_option_or_a_place() -> None:
    assert sum(len(rule.asks) for rule in RULES.own) == len(policy_options())
    assert len({rule.place for rule in RULES.own}) == len(RULES.own)


@given(POLICY, predictions_of_a_pair())
def test_a_decision_gives_a_reason_that_has_words(policy: Policy, candidates: list[Said]) -> None:
    assert {decision.reason for decision in decide_pair(policy, candidates)} <= reasons().keys()


@EVERY_OPTION
def test_each_option_survives_being_stored(option: Option) -> None:
    told = OTHERWISE[option.name]
    policy = Policy.from_mapping({"name": "own", option.name: told})
    assert policy.to_mapping()[option.name] == told
    assert Policy.from_mapping(json.loads(json.dumps(policy.to_mapping()))) == policy
    assert policy != Policy("own")


@EVERY_OPTION
def test_what_an_option_cannot_be_is_answered_with_what_it_may_be(option: Option) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(**{option.name: "nonsense"})
    assert caught.value.message == f"a policy's {option.name} cannot be 'nonsense'"
    assert caught.value.hint == f"use {option.allowed}"


def test_policies_are_stored_in_the_words_of_older_versions() -> None:
    """Byte by byte: an import that was cut off is found again by its policy's text."""
    assert json.dumps(PRESETS["confident"].to_mapping()) == (
        '{"name": "confident", "require_agreement": true, "accept_ties": false, "min_margin": 3, "refused_flaws": [], '
        '"untagged_answers": "single", "min_sample_agreement": null, "order_consistency": false, "keep": "all"}'
    )
    assert json.dumps(Policy.from_mapping({"refused_flaws": ["cut_off", "no_answer"]}).to_mapping()) == (
        '{"name": "custom", "require_agreement": true, "accept_ties": false, "min_margin": null, '
        '"refused_flaws": ["no_answer", "cut_off"], "untagged_answers": "single", "min_sample_agreement": null, '
        '"order_consistency": false, "keep": "all"}'
    )


def test_accuracy_is_told_where_nothing_but_ties_and_the_unreadable_is_rejected_before_agreement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(policy: Policy) -> bool:
        return policy.plan.tells_accuracy

    assert all(map(told, PRESETS.values()))
    assert not told(Policy(accept_ties=True))
    assert not told(Policy(require_agreement=False))
    early = Rule(
        name="early", label="Early", purpose="Comes first.", place=15, alone=lambda _options: lambda _one: None
    )
    monkeypatch.setitem(RULES.__dict__, "own", (*RULES.own, early))
    assert not told(Policy())


def test_only_what_compares_orders_needs_both() -> None:
    needing = [name for name, policy in PRESETS.items() if policy.plan.needs_both_orders]
    assert needing == ["order-consistent"]
