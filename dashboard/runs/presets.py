"""Named fillings of the launch form: the shipped ones, and those a person has kept.

A preset holds how to judge: engine, order, options and filter. What is judged, and by which model, is
chosen at every run.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.domain.filtering import PRESETS as POLICIES
from backend.domain.filtering import Policy
from backend.domain.pairs import OrderPolicy
from backend.engines.addresses import refuse_credentials
from backend.engines.registry import ENGINES
from backend.errors import UsageError, WinnowError
from backend.options import Option
from backend.workspace import Workspace
from dashboard.identity import person
from dashboard.option_fields import from_widget, to_widget
from dashboard.page import errors_shown
from dashboard.runs.options import ALL, PRESETS
from dashboard.runs.policy import load_policy_state, policy_state
from dashboard.text import md

KEY = "launch_"
POLICY = "launch_policy"
USUAL_ORDER = "as usual"
_KEPT = "run_presets"
_NEW_NAME = "launch_preset_name"
MOST, LONGEST_NAME = 20, 60


def preset_buttons(space: Workspace) -> None:
    """A button for each preset, and the place where one's own are kept and deleted."""
    own = kept_presets(space)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for preset in PRESETS:
            st.button(
                preset.name, help=preset.about, key=f"preset_{preset.name}", on_click=_apply, args=(preset.values,)
            )
        for name, values in own.items():
            st.button(
                md(name, LONGEST_NAME),
                help="one of your presets",
                key=f"own_preset_{name}",
                on_click=_apply_own,
                args=(values,),
            )
        with st.popover("Your presets", type="tertiary"), errors_shown():
            _keep_and_delete(space, own)


def kept_presets(space: Workspace) -> dict[str, dict[str, Any]]:
    """The present person's presets by name."""
    kept = space.people.settings(person().name).get(_KEPT, {})
    return {name: values for name, values in kept.items() if isinstance(values, dict)}


def _keep_and_delete(space: Workspace, own: dict[str, dict[str, Any]]) -> None:
    if not person().name:
        st.caption("Say your name below the navigation; presets are kept under it.")
        return
    st.caption("Keeps engine, order, filter and options as they stand in the form.")
    given = st.text_input("Name of the preset", max_chars=LONGEST_NAME, key=_NEW_NAME)
    if st.button("Keep", key="preset_keep"):
        keep(space, given)
        st.rerun()
    for name in own:
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(md(name, LONGEST_NAME))
        if right.button("Delete", key=f"preset_delete_{name}"):
            space.people.keep_within(person().name, _KEPT, name, None)
            st.rerun()


def keep(space: Workspace, given: str) -> None:
    """Keep the form as it stands; the same name again replaces it.

    Raises:
        UsageError: The name cannot be used, there are too many, or an endpoint holds credentials.
    """
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"a preset's name has 1 to {LONGEST_NAME} printable characters")
    if name.casefold() in {preset.name.casefold() for preset in PRESETS}:
        raise UsageError(f"{name} comes with Winnow", hint="choose another name")
    own = kept_presets(space)
    if name not in own and len(own) >= MOST:
        raise UsageError(f"{MOST} presets are kept at most", hint="delete one first")
    form = _form()
    for url in form["options"].get("endpoints", ()):
        refuse_credentials(url)
    space.people.keep_within(person().name, _KEPT, name, form)


def _form() -> dict[str, Any]:
    """What the form holds, as JSON."""
    state = st.session_state
    values = {name: from_widget(option, KEY) for name, option in ALL.items()}
    return {
        "engine": state.get(KEY + "engine", "auto"),
        "order": state.get(KEY + "order", USUAL_ORDER),
        "policy": policy_state(POLICY).to_mapping(),
        "options": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != ALL[name].default
        },
    }


def _apply(values: dict[str, Any]) -> None:
    """A purpose changes its own options and puts the others back; dataset, model and engine stay."""
    for name, option in ALL.items():
        if not values or name in ("limit", "samples", "temperature"):
            st.session_state[KEY + name] = to_widget(option, values.get(name, option.default))
    st.session_state[KEY + "order"] = values.get("order", USUAL_ORDER)
    load_policy_state(POLICY, POLICIES[values.get("policy", "agreement")])


def _apply_own(values: dict[str, Any]) -> None:
    """What was kept by an older version, and means nothing any more, is left at its default."""
    options = values.get("options", {})
    for name, option in ALL.items():
        value = options.get(name, option.default)
        fitting = value if _fits(option, value) else option.default
        st.session_state[KEY + name] = to_widget(option, fitting)
    orders = {USUAL_ORDER, *(order.value for order in OrderPolicy)}
    for name, known, usual in (("engine", {"auto", *ENGINES}, "auto"), ("order", orders, USUAL_ORDER)):
        st.session_state[KEY + name] = values[name] if values.get(name) in known else usual
    try:
        policy = Policy.from_mapping(values.get("policy", {}))
    except WinnowError:
        policy = POLICIES["agreement"]
    load_policy_state(POLICY, policy)


def _fits(option: Option, value: Any) -> bool:
    if value is None or value == option.default:
        return True
    if option.kind in ("int", "float"):
        number = isinstance(value, int if option.kind == "int" else int | float)
        return number and not isinstance(value, bool) and option.holds(value)
    if option.kind == "choice":
        return value in option.choices
    kinds = {"bool": bool, "text": str, "long": str, "path": str, "lines": list}
    return isinstance(value, kinds[option.kind])
