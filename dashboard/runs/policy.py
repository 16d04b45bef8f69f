"""Choosing a filter policy: a preset, or every option of every rule."""

from __future__ import annotations

import streamlit as st

from backend.domain.filtering import PRESETS, Policy
from backend.domain.policies import ABOUT
from backend.domain.rules.registry import policy_options
from backend.domain.rules.untagged import UNTAGGED
from dashboard.option_fields import choice_words, field, from_widget, to_widget

OWN = "own"


def load_policy_state(key: str, policy: Policy) -> None:
    """Make the widgets under ``key`` show a policy."""
    preset = next((name for name, known in PRESETS.items() if known.values == policy.values), None)
    st.session_state[f"{key}_name"] = preset or OWN
    st.session_state[f"{key}_before"] = preset or "agreement"
    for name, option in policy_options().items():
        st.session_state[f"{key}_{name}"] = to_widget(option, policy.values.get(name, option.default))


def policy_fields(key: str) -> None:
    """Draw the choice; :func:`policy_state` is what it amounts to."""
    name = st.selectbox(
        "Filter policy",
        [*PRESETS, OWN],
        key=f"{key}_name",
        format_func=lambda one: "a policy of your own" if one == OWN else one,
        on_change=_fill,
        args=(key,),
    )
    if name != OWN:
        st.caption(f"{ABOUT.get(name, '')}; {untagged_words(PRESETS[name])}")
        return
    # Over the whole width: beside something else, a screen of 1280 pixels cuts their names.
    for option in policy_options().values():
        field(option, f"{key}_", brief=True)


def untagged_words(policy: Policy) -> str:
    """Which answers outside of the answer tag a policy takes."""
    ((name, option),) = UNTAGGED.asks.items()
    return f"answers outside of the answer tag are taken {choice_words(option, policy.values[name])}"


def policy_name(key: str) -> str:
    """The name of the policy under ``key``."""
    name = st.session_state.get(f"{key}_name", "agreement")
    return name if name in PRESETS else "custom"


def policy_state(key: str) -> Policy:
    """The policy that the widgets under ``key`` amount to.

    Raises:
        PolicyError: A field is out of range.
    """
    if (name := policy_name(key)) in PRESETS:
        return PRESETS[name]
    given = {name: (option, from_widget(option, f"{key}_")) for name, option in policy_options().items()}
    # A rule of another package is part of the policy where it asks for something.
    return Policy(**{name: value for name, (option, value) in given.items() if value != option.default})


def _fill(key: str) -> None:
    """A policy of one's own starts as the preset that was chosen before."""
    name = st.session_state[f"{key}_name"]
    if name == OWN:
        load_policy_state(key, PRESETS[st.session_state.get(f"{key}_before", "agreement")])
        st.session_state[f"{key}_name"] = OWN
    else:
        st.session_state[f"{key}_before"] = name
