"""Choosing a filter policy: a preset, or every field of one's own."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.domain.filtering import PRESETS, Policy
from backend.domain.policies import UNTAGGED
from backend.domain.reading import Flaw
from dashboard.words import spaced

_ABOUT = {
    "agreement": "the answer equals the human preference",
    "clean": "agreement, and no flaw in the text",
    "confident": "agreement, by a margin of 3 or more",
    "order-consistent": "agreement, and the same winner in both orders",
    "consensus": "agreement, and three of four samples name the same winner",
    "one-per-pair": "agreement; of each pair the one with the widest margin",
}
OWN = "own"
_UNTAGGED = {
    "single": "where a single unqualified statement stands",
    "all": "wherever they can be read",
    "none": "never",
}


def load_policy_state(key: str, policy: Policy) -> None:
    """Make the widgets under ``key`` show a policy."""
    preset = next((name for name, known in PRESETS.items() if _same(known, policy)), None)
    st.session_state[f"{key}_name"] = preset or OWN
    st.session_state[f"{key}_before"] = preset or "agreement"
    st.session_state[f"{key}_agreement"] = policy.require_agreement
    st.session_state[f"{key}_ties"] = policy.accept_ties
    st.session_state[f"{key}_margin"] = policy.min_margin
    st.session_state[f"{key}_flaws"] = [flaw for flaw in Flaw if flaw in policy.refused_flaws]
    st.session_state[f"{key}_untagged"] = policy.untagged_answers
    st.session_state[f"{key}_share"] = policy.min_sample_agreement
    st.session_state[f"{key}_order"] = policy.order_consistency
    st.session_state[f"{key}_one"] = policy.keep == "one_per_pair"


def policy_fields(key: str) -> Policy:
    """Draw the choice; returns the policy it amounts to."""
    name = st.selectbox(
        "Filter policy",
        [*PRESETS, OWN],
        key=f"{key}_name",
        format_func=lambda one: "a policy of your own" if one == OWN else one,
        on_change=_fill,
        args=(key,),
    )
    if name != OWN:
        st.caption(f"{_ABOUT.get(name, '')}; {untagged_words(PRESETS[name])}")
        return PRESETS[name]
    # Over the whole width: beside something else, a screen of 1280 pixels cuts their names.
    st.toggle("Answer agrees with the human", key=f"{key}_agreement")
    st.toggle("Pairs with a recorded tie take part", key=f"{key}_ties")
    st.toggle("Same winner in both orders", key=f"{key}_order")
    st.toggle("Only the best of each pair", key=f"{key}_one")
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    left.number_input(
        "Margin of at least", 0.0, 100.0, value=None, step=0.5, key=f"{key}_margin", placeholder="any", format="%g"
    )
    right.number_input(
        "Share of samples that agree", 0.01, 1.0, value=None, step=0.05, key=f"{key}_share", placeholder="any"
    )
    st.selectbox(
        "Answers outside of the answer tag are taken",
        UNTAGGED,
        key=f"{key}_untagged",
        format_func=_UNTAGGED.__getitem__,
    )
    st.multiselect(
        "None of these flaws", list(Flaw), key=f"{key}_flaws", placeholder="any flaw may be", format_func=spaced
    )
    return policy_state(key)


def untagged_words(policy: Policy) -> str:
    """Which answers outside of the answer tag a policy takes."""
    return f"answers outside of the answer tag are taken {_UNTAGGED[policy.untagged_answers]}"


def policy_state(key: str) -> Policy:
    """The policy that the widgets under ``key`` amount to."""
    state = st.session_state
    if (name := state.get(f"{key}_name", "agreement")) in PRESETS:
        return PRESETS[name]
    fields: dict[str, Any] = {
        "require_agreement": bool(state.get(f"{key}_agreement", True)),
        "accept_ties": bool(state.get(f"{key}_ties", False)),
        "min_margin": state.get(f"{key}_margin"),
        "refused_flaws": frozenset(Flaw(flaw) for flaw in state.get(f"{key}_flaws", [])),
        "untagged_answers": state.get(f"{key}_untagged", "single"),
        "min_sample_agreement": state.get(f"{key}_share"),
        "order_consistency": bool(state.get(f"{key}_order", False)),
        "keep": "one_per_pair" if state.get(f"{key}_one") else "all",
    }
    return Policy(**fields)


def _fill(key: str) -> None:
    """A policy of one's own starts as the preset that was chosen before."""
    name = st.session_state[f"{key}_name"]
    if name == OWN:
        load_policy_state(key, PRESETS[st.session_state.get(f"{key}_before", "agreement")])
        st.session_state[f"{key}_name"] = OWN
    else:
        st.session_state[f"{key}_before"] = name


def _same(one: Policy, other: Policy) -> bool:
    """Equal but for their names."""
    return {**one.to_mapping(), "name": ""} == {**other.to_mapping(), "name": ""}
