"""The launch form: four fields in view, the rest folded, the command and the checks beside it."""

from __future__ import annotations

from typing import Any

import streamlit as st
from pydantic import ValidationError

from backend.domain.filtering import PRESETS as POLICIES
from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind, OrderPolicy
from backend.domain.prompts import default_instruction
from backend.engines.base import EngineOptions
from backend.engines.registry import AUTO, ENGINES
from backend.errors import UsageError
from backend.inference.command_line import command_line
from backend.inference.launch import RunRequest, default_order
from backend.inference.preflight import preflight
from backend.store.datasets import DatasetRow
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.empty import empty
from dashboard.models import judges, model_field
from dashboard.numbers import many
from dashboard.option_fields import fold, folded, to_widget, wanted
from dashboard.page import errors_shown, fragment
from dashboard.preflight import draw_checks
from dashboard.runs.options import ALL, ENGINE_NAMES, GROUPS
from dashboard.runs.policy import load_policy_state, policy_fields, policy_name, policy_state
from dashboard.runs.presets import KEY, POLICY, USUAL_ORDER, preset_buttons
from dashboard.text import clean

_LOADED = "launch_loaded"
_ENGINE_WORDS = {AUTO: "auto · best installed"} | {kind.name: f"{kind.name} · {kind.label}" for kind in ENGINES.usable}


def load_form(run: RunRow | None, datasets: list[DatasetRow], runs: list[RunRow], *, again: str) -> None:
    """Fill the form once for each ``again``: from a run, or with the defaults and the last judge."""
    # Streamlit forgets widgets that a visit to another page did not draw.
    if st.session_state.get(_LOADED) == again and KEY + "dataset" in st.session_state:
        return
    st.session_state[_LOADED] = again
    values: dict[str, Any] = {option.name: option.default for option in ALL.values()}
    values |= {
        "dataset": datasets[-1].name,
        "model": next(iter(judges(runs)), None),
        "engine": AUTO,
        "order": USUAL_ORDER,
    }
    policy = POLICIES["agreement"]
    if asked := st.query_params.get("dataset"):
        values["dataset"] = asked if asked in {row.name for row in datasets} else values["dataset"]
    if run is not None:
        values |= _values_of(run)
        with errors_shown():  # a rule's package may be gone; the form is filled with the rest
            policy = Policy.from_mapping(run.policy)
    for name, value in values.items():
        option = ALL.get(name)
        st.session_state[KEY + name] = to_widget(option, value) if option else value
    load_policy_state(POLICY, policy)


def _values_of(run: RunRow) -> dict[str, Any]:
    spec = run.spec
    values = {name: spec[name] for name in ("model", "order", "samples", "seed", "limit", "use_cot")}
    values |= {name: spec["options"][name] for name in ENGINE_NAMES if name in spec["options"]}
    engine = spec["engine"] if spec["engine"] in ENGINES else AUTO
    values |= {"dataset": run.dataset, "engine": engine, "instruction": _own_instruction(spec)}
    return values


def _own_instruction(spec: dict[str, Any]) -> str | None:
    """The instruction a run was given, unless it is Winnow's."""
    for kind, text in spec.get("instruction", {}).items():
        if text != default_instruction(MediaKind(kind), use_cot=bool(spec.get("use_cot", True))):
            return str(text)
    return None


@fragment()
def launch_form(space: Workspace, datasets: list[DatasetRow], runs: list[RunRow]) -> None:
    """Draw the form; starts the run and opens it."""
    left, right = st.columns([3, 2], gap="large")
    with left, errors_shown():
        preset_buttons(space)
        _four_fields(datasets, runs)
        for title, options in GROUPS.items():
            folded(title, options, KEY)
        policy = policy_name(POLICY)
        with fold("Filter", [] if policy == "agreement" else [policy], key=KEY + "fold_Filter"):
            st.caption("Default agreement. Another one can be applied later without judging again.")
            policy_fields(POLICY)
    with right, errors_shown():
        if not st.session_state.get(KEY + "model"):
            st.caption("Choose a model; the command and the checks appear here.")
            return
        request = request_from_form()
        st.markdown("**The same as a command**")
        st.code(command_line(request, workspace=space.folder), language=None, wrap_lines=True)
        st.markdown("**Before it starts**")
        failed = draw_checks(preflight(space.database, space.folder, space.settings.engine_pythons, request))
        if st.button("Start run", type="primary", disabled=bool(failed), key="launch_start"):
            run_id, _ = space.launcher.start(request)
            space.supervise()
            st.session_state.pop(_LOADED, None)
            st.query_params.from_dict({"run": str(run_id)})
            st.rerun()


def request_from_form() -> RunRequest:
    """What the form asks for.

    Raises:
        UsageError: A field is empty or out of range.
    """
    state = st.session_state
    model = (state.get(KEY + "model") or "").strip()
    if not model:
        raise UsageError("no model yet", hint="give a model's folder, or its hub name")
    values = {name: wanted(option, KEY) for name, option in ALL.items()}
    order = state.get(KEY + "order")
    try:
        options = EngineOptions(**{name: values[name] for name in ENGINE_NAMES})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{name}: {first['msg']}") from error
    return RunRequest(
        dataset=state[KEY + "dataset"],
        model=model,
        engine=state[KEY + "engine"],
        options=options,
        order=None if order in (None, USUAL_ORDER) else OrderPolicy(order),
        samples=values["samples"] or 1,
        seed=values["seed"] or 0,
        limit=values["limit"],
        use_cot=values["use_cot"],
        instruction=values["instruction"] or None,
        policy=policy_state(POLICY),
    )


def _four_fields(datasets: list[DatasetRow], runs: list[RunRow]) -> None:
    by_name = {row.name: row for row in datasets}
    dataset = st.selectbox(
        "Dataset",
        list(reversed(by_name)),
        key=KEY + "dataset",
        format_func=lambda name: f"{clean(name, 80)} · {many(by_name[name].judgeable, 'pair')}",
    )
    model_field(judges(runs), KEY + "model")
    left, right = st.columns(2)
    left.selectbox(
        "Engine",
        list(_ENGINE_WORDS),
        key=KEY + "engine",
        format_func=_ENGINE_WORDS.__getitem__,
        help="auto takes the best one that is installed, and says why.",
    )
    usual = default_order(by_name[dataset].source).value if dataset in by_name else ""
    right.selectbox(
        "Shown order",
        [USUAL_ORDER, *(order.value for order in OrderPolicy)],
        key=KEY + "order",
        format_func=lambda order: f"as usual: {usual}" if order == USUAL_ORDER else order,
        help="A file that names the better side first is shuffled, or position would tell the label.",
    )


def nothing_to_judge() -> None:
    """In place of the form, while there is no dataset."""
    empty("No dataset to judge", "A run needs a dataset that is ready.", link=("datasets", "Add a dataset"))
