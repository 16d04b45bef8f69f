"""Which predictions a policy keeps, and the reason it gives."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.filtering import PRESETS, Policy, Said, decide_pair, load_policy
from backend.domain.pairs import Order, Preference
from backend.domain.reading import Flaw, flaw_mask
from backend.errors import PolicyError


def said(
    answer: str | None,
    preferred: str = "first",
    *,
    order: str = "dataset",
    sample: int = 0,
    margin: float | None = None,
    flaws: int = 0,
) -> Said:
    return Said(order, sample, answer, preferred, margin, flaws)


def outcome(policy: Policy, *candidates: Said) -> list[tuple[bool, str]]:
    return [(d.accepted, d.reason) for d in decide_pair(policy, candidates)]


AGREEMENT = PRESETS["agreement"]


@pytest.mark.parametrize(
    ("answer", "preferred", "accepted", "reason"),
    [
        ("first", "first", True, "agrees"),
        ("second", "second", True, "agrees"),
        ("second", "first", False, "disagrees"),
        (None, "first", False, "unreadable"),
        ("tie", "first", False, "said_tie"),
        ("first", "tie", False, "tie"),
        ("tie", "tie", False, "tie"),
        (None, "tie", False, "tie"),
    ],
)
def test_agreement_is_the_rule_of_the_field(answer: str | None, preferred: str, accepted: bool, reason: str) -> None:
    assert outcome(AGREEMENT, said(answer, preferred)) == [(accepted, reason)]


def test_enumeration_members_and_their_stored_text_decide_alike() -> None:
    member = Said(Order.SWAPPED, 0, Preference.SECOND, Preference.SECOND, 1.0, 0)
    text = said("second", "second", order="swapped", margin=1.0)
    for policy in PRESETS.values():
        assert decide_pair(policy, [member]) == decide_pair(policy, [text])


def test_ties_take_part_where_the_policy_accepts_them() -> None:
    policy = Policy(accept_ties=True, min_margin=3)
    assert outcome(policy, said("tie", "tie", margin=0)) == [(True, "agrees")]
    assert outcome(policy, said("first", "tie", margin=9)) == [(False, "disagrees")]
    assert outcome(policy, said("tie", "first", margin=9)) == [(False, "said_tie")]


def test_without_agreement_a_readable_answer_is_enough_and_the_reason_still_tells() -> None:
    policy = Policy(require_agreement=False)
    assert outcome(policy, said("second")) == [(True, "disagrees")]
    assert outcome(policy, said("first")) == [(True, "agrees")]
    assert outcome(policy, said(None)) == [(False, "unreadable")]
    assert outcome(policy, said("tie")) == [(False, "said_tie")]


def test_a_refused_flaw_rejects_and_others_do_not() -> None:
    policy = Policy(refused_flaws=frozenset({Flaw.CUT_OFF}))
    cut = flaw_mask([Flaw.CUT_OFF, Flaw.NO_ANSWER])
    other = flaw_mask([Flaw.TOTAL_MISMATCH])
    assert outcome(policy, said("first", flaws=cut)) == [(False, "flawed")]
    assert outcome(policy, said("first", flaws=other)) == [(True, "agrees")]
    assert outcome(AGREEMENT, said("first", flaws=cut)) == [(True, "agrees")]


@pytest.mark.parametrize("preset", ["agreement", "clean"])
@pytest.mark.parametrize(
    ("untagged", "single", "qualified"), [("single", True, False), ("all", True, True), ("none", False, False)]
)
def test_a_policy_says_which_untagged_answers_it_takes(
    preset: str, untagged: str, single: bool, qualified: bool
) -> None:
    policy = PRESETS[preset].but(untagged_answers=untagged)
    alone = said("first", flaws=flaw_mask([Flaw.UNTAGGED_ANSWER]))
    beside = said("first", flaws=flaw_mask([Flaw.UNTAGGED_ANSWER, Flaw.QUALIFIED_ANSWER]))
    assert [accepted for accepted, _ in outcome(policy, alone)] == [single]
    assert [accepted for accepted, _ in outcome(policy, beside)] == [qualified]
    assert PRESETS[preset].values["untagged_answers"] == "single"


@pytest.mark.parametrize("flaw", [flaw for flaw in Flaw if flaw is not Flaw.UNTAGGED_ANSWER])
def test_clean_refuses_every_flaw_but_a_single_untagged_answer(flaw: Flaw) -> None:
    assert outcome(PRESETS["clean"], said("first", flaws=flaw_mask([flaw]))) == [(False, "flawed")]


@pytest.mark.parametrize(("margin", "accepted"), [(3.0, True), (2.5, False), (None, False), (-4, False)])
def test_confident_needs_a_margin_of_three(margin: float | None, accepted: bool) -> None:
    decided = outcome(PRESETS["confident"], said("first", margin=margin))
    assert decided == [(accepted, "agrees" if accepted else "low_margin")]


def test_order_consistency_compares_winners_and_not_words() -> None:
    policy = PRESETS["order-consistent"]
    same_winner = [said("first", "first"), said("second", "second", order="swapped")]
    assert outcome(policy, *same_winner) == [(True, "agrees")] * 2
    same_word = [said("first", "first"), said("first", "second", order="swapped")]
    assert outcome(policy, *same_word) == [(False, "order_inconsistent"), (False, "disagrees")]


def test_order_consistency_needs_a_readable_answer_in_both_orders() -> None:
    policy = PRESETS["order-consistent"]
    assert outcome(policy, said("first")) == [(False, "order_missing")]
    other = said(None, "second", order="swapped")
    assert outcome(policy, said("first"), other) == [(False, "order_missing"), (False, "unreadable")]
    assert outcome(policy, said("first"), said("first", sample=1)) == [
        (False, "order_missing"),
        (False, "order_missing"),
    ]


def test_order_consistency_of_several_samples_is_that_of_their_majorities() -> None:
    policy = PRESETS["order-consistent"]
    dataset = [said("first", sample=0), said("first", sample=1), said("second", sample=2)]
    swapped = [said("second", "second", order="swapped", sample=i) for i in range(3)]
    accepted = [decision.accepted for decision in decide_pair(policy, dataset + swapped)]
    assert accepted == [True, True, False, True, True, True]
    even = [said("first", sample=0), said("second", sample=1)]
    assert outcome(policy, *even, *swapped)[0] == (False, "order_inconsistent")


def test_consensus_counts_winners_over_all_samples_of_a_pair() -> None:
    policy = PRESETS["consensus"]
    three = [said("first", sample=0), said("second", "second", order="swapped", sample=0)]
    three += [said("first", sample=1)]
    assert outcome(policy, *three, said("second", sample=2)) == [*[(True, "agrees")] * 3, (False, "disagrees")]
    two_of_three = outcome(policy, *three[:2], said(None, sample=2))
    assert two_of_three == [(False, "samples_disagree")] * 2 + [(False, "unreadable")]


def test_one_per_pair_keeps_the_highest_margin_then_lowest_sample_then_dataset_order() -> None:
    policy = PRESETS["one-per-pair"]

    def kept(*candidates: Said) -> list[int]:
        decisions = decide_pair(policy, candidates)
        assert all(d.accepted or d.reason == "not_chosen" for d in decisions)
        return [place for place, decision in enumerate(decisions) if decision.accepted]

    swapped = said("second", "second", order="swapped", margin=2, sample=1)
    assert kept(said("first", margin=None), swapped) == [1]
    assert kept(said("first", margin=2, sample=2), swapped) == [1]
    assert kept(swapped, said("first", margin=2, sample=1)) == [1]
    assert outcome(policy, said("second", margin=9), said("first", sample=1, margin=1)) == [
        (False, "disagrees"),
        (True, "agrees"),
    ]


SIDE = st.sampled_from(["first", "second", "tie"])
POLICY = st.builds(
    Policy,
    name=st.text(min_size=1).filter(str.strip),
    require_agreement=st.booleans(),
    accept_ties=st.booleans(),
    min_margin=st.none() | st.floats(0, 30),
    refused_flaws=st.frozensets(st.sampled_from(Flaw)),
    untagged_answers=st.sampled_from(["single", "all", "none"]),
    min_sample_agreement=st.none() | st.floats(0.01, 1),
    order_consistency=st.booleans(),
    keep=st.sampled_from(["all", "one_per_pair"]),
)
SWAP = {"first": "second", "second": "first", "tie": "tie", None: None}


@st.composite
def predictions_of_a_pair(draw: st.DrawFn) -> list[Said]:
    preference = draw(SIDE)
    places = draw(
        st.lists(st.tuples(st.sampled_from(["dataset", "swapped"]), st.integers(0, 4)), unique=True, max_size=8)
    )
    return [
        said(
            draw(st.none() | SIDE),
            preference if order == "dataset" else SWAP[preference],
            order=order,
            sample=sample,
            margin=draw(st.none() | st.floats(-27, 27)),
            flaws=draw(st.integers(0, flaw_mask(Flaw))),
        )
        for order, sample in places
    ]


def relabelled(candidate: Said) -> Said:
    return replace(candidate, answer=SWAP[candidate.answer], preferred=SWAP[candidate.preferred])


@given(POLICY, predictions_of_a_pair())
def test_naming_the_two_sides_the_other_way_round_changes_no_decision(policy: Policy, candidates: list[Said]) -> None:
    mirrored = [relabelled(candidate) for candidate in candidates]
    assert decide_pair(policy, mirrored) == decide_pair(policy, candidates)


@given(POLICY, predictions_of_a_pair().filter(lambda found: len({c.sample for c in found}) == len(found)))
def test_showing_a_prediction_in_the_other_order_changes_no_decision_about_its_winner(
    policy: Policy, candidates: list[Said]
) -> None:
    # Only a policy about order may notice in which order a pair was shown.
    policy = policy.but(order_consistency=False)
    turned = [
        replace(relabelled(c), order="swapped" if c.order == "dataset" else "dataset") if place % 2 else c
        for place, c in enumerate(candidates)
    ]
    assert decide_pair(policy, turned) == decide_pair(policy, candidates)


@given(POLICY, predictions_of_a_pair(), st.randoms())
def test_decisions_do_not_depend_on_the_sequence_of_predictions(
    policy: Policy, candidates: list[Said], random: object
) -> None:
    decided = dict(zip(candidates, decide_pair(policy, candidates), strict=True))
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert dict(zip(shuffled, decide_pair(policy, shuffled), strict=True)) == decided


@given(POLICY)
def test_a_policy_survives_json(policy: Policy) -> None:
    assert Policy.from_mapping(json.loads(json.dumps(policy.to_mapping()))) == policy


def test_presets_are_found_by_name() -> None:
    assert load_policy("agreement") == Policy(name="agreement")
    assert load_policy({"min_margin": 2}) == Policy(min_margin=2)
    assert {load_policy(name).name for name in PRESETS} == set(PRESETS)
    with pytest.raises(PolicyError) as caught:
        load_policy("agrement")
    assert "order-consistent" in str(caught.value.hint)


@pytest.mark.parametrize(
    "mapping",
    [
        {"margin": 3},
        {"min_margin": "3"},
        {"min_margin": -1},
        {"min_margin": float("nan")},
        {"min_margin": True},
        {"require_agreement": "yes"},
        {"accept_ties": 1},
        {"refused_flaws": "cut_off"},
        {"refused_flaws": ["cutoff"]},
        {"refused_flaws": [[]]},
        {"refused_flaws": None},
        {"min_sample_agreement": 0},
        {"min_sample_agreement": 1.5},
        {"keep": "best"},
        {"keep": []},
        {"name": ""},
        {"name": 3},
        [],
    ],
)
def test_a_policy_that_cannot_be_read_says_what_is_allowed(mapping: dict[str, object]) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(mapping)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_an_unknown_key_is_answered_with_the_known_ones() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_mapping({"margin": 3})
    assert "margin" in caught.value.message
    assert "min_margin" in str(caught.value.hint)
