"""The training form: sets, trainer and hyperparameters; checks and command beside it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import ValidationError

from backend.errors import UsageError, WinnowError
from backend.store.runs import RunRow
from backend.store.sets import SetRow
from backend.store.trainings import TrainingRow
from backend.training.command import places_in, split_template
from backend.training.plan import command_line, start_line
from backend.training.programs import EXAMPLES
from backend.training.registry import DEFAULT, TRAINERS
from backend.training.spec import PRESETS, TrainingSpec
from backend.training.view import spec_of
from backend.workspace import Workspace
from dashboard.background import forget, ready
from dashboard.models import judge_of, judges, model_field
from dashboard.numbers import many
from dashboard.option_fields import fields, folded, to_widget, wanted
from dashboard.page import errors_shown, fragment
from dashboard.preflight import draw_checks
from dashboard.text import clean, visible
from dashboard.training.options import ALL, GROUPS, IN_VIEW, from_spec, to_spec, used_by, used_names

_KEY = "training_"
_LOADED = "training_loaded"
_PRESET_WORDS = {
    "full": ("Defaults", "all weights, the field's defaults"),
    "lora": ("Adapters", "LoRA at a learning rate of 1e-4, for far less memory"),
    "two-gpus": ("Two GPUs", "two processes on this machine"),
    "smoke": ("Five steps", "to see that everything works"),
}
_PLACES = frozenset({"device", "node_rank", "master_addr", "master_port", "data_format", "task_instruction"})
_NEEDED = {"sets": "a set", "model": "a model"}


def load_form(sets: list[SetRow], row: TrainingRow | None, runs: list[RunRow], *, again: str) -> None:
    """Fill the form once for each ``again``: from a training, or with the defaults and the judge
    whose answers the sets hold."""
    # Streamlit forgets widgets that a visit to another page did not draw.
    if st.session_state.get(_LOADED) == again and _KEY + "sets" in st.session_state:
        return
    st.session_state[_LOADED] = again
    known = [set_name(one) for one in sets]
    asked = [name for name in st.query_params.get("set", "").split(",") if name]
    values: dict[str, Any] = {option.name: option.default for option in ALL.values()}
    chosen = [name for one in asked if (name := _newest(one, known))]
    judged = {run["id"] for one in sets if set_name(one) in chosen for run in one.lineage.get("runs", ())}
    values |= {"sets": chosen, "trainer": DEFAULT, "command": "", "output_dir": ""}
    values["model"] = judge_of(runs, judged)
    if row is not None:
        spec = spec_of(row)
        names = [f"{ref.name}@{ref.version}" for ref in spec.sets]
        values |= from_spec(spec) | {
            "sets": [name for name in names if name in known],
            "trainer": spec.trainer,
            "model": spec.model,
            "command": shlex.join(spec.command),
        }
    for name, value in values.items():
        option = ALL.get(name)
        st.session_state[_KEY + name] = value if option is None else to_widget(option, value)


def set_name(row: SetRow) -> str:
    """A set as the command names it."""
    return f"{row.name}@{row.version}"


def _newest(asked: str, known: list[str]) -> str | None:
    if asked in known:
        return asked
    versions = [name for name in known if name.rpartition("@")[0] == asked]
    return versions[-1] if versions else None


def _free_folder(space: Workspace, sets: list[str]) -> Path:
    """A folder inside the workspace that no training has used."""
    word = sets[0].rpartition("@")[0] if sets else "training"
    word = "".join(c if (c.isascii() and c.isalnum()) or c in "-_." else "-" for c in word)
    word = word.strip(".-")[:60]
    base, number = space.folder / "trainings", 1
    taken = {row.output_dir for row in space.trainings.list()}
    while True:
        folder = (base / f"{word or 'training'}-{number}").resolve()
        if str(folder) not in taken and not folder.exists():
            return folder
        number += 1


@fragment()
def training_form(space: Workspace, sets: list[SetRow], trainings: list[TrainingRow]) -> None:
    """Draw the form; starts the training and opens it."""
    _keep()
    left, right = st.columns([3, 2], gap="large")
    with left, errors_shown():
        presets = st.container(horizontal=True, gap="small")
        _chosen(space, sets, trainings)
        trainer = st.session_state[_KEY + "trainer"]
        if TRAINERS[trainer].by_template:
            _template()
        names = _read()
        with presets:
            _presets(names)
        fields(used_by(names, IN_VIEW, trainer), _KEY)
        for title, options in GROUPS.items():
            folded(title, used_by(names, options, trainer), _KEY)
    with right, errors_shown():
        missing = [word for word in _NEEDED if not st.session_state.get(_KEY + word)]
        if missing:
            words = " and ".join(_NEEDED[word] for word in missing)
            st.caption(f"Choose {words}; the checks and the command appear here.")
            return
        spec = spec_from_form(space)
        stopped = _checks(space, spec)
        if st.button("Start training", type="primary", disabled=bool(stopped), key="training_start"):
            training = space.training_launcher.start(spec)
            space.supervise()
            st.session_state.pop(_LOADED, None)
            st.query_params.from_dict({"training": str(training)})
            st.rerun()
        if stopped:
            st.caption(stopped)
        _commands(space, spec)


def _keep() -> None:
    """Streamlit forgets a field that another trainer's form does not draw; this keeps them all."""
    for name in (*ALL, "sets", "model", "trainer", "output_dir", "command"):
        if _KEY + name in st.session_state:
            st.session_state[_KEY + name] = st.session_state[_KEY + name]


def _read() -> frozenset[str]:
    """Names of the options that the chosen trainer reads."""
    trainer = str(st.session_state[_KEY + "trainer"])
    return used_names(trainer, places_in([str(st.session_state.get(_KEY + "command") or "")]))


def spec_from_form(space: Workspace) -> TrainingSpec:
    """What the form asks for.

    Raises:
        UsageError: A field is empty or out of range.
    """
    state = st.session_state
    trainer = str(state[_KEY + "trainer"])
    values = {name: wanted(option, _KEY) for name, option in ALL.items()}
    try:
        given = to_spec(values, _read())
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"lora_{first['loc'][0]}: {first['msg']}") from error
    if TRAINERS[trainer].by_template:
        given["command"] = split_template(state.get(_KEY + "command") or "")
    sets = state[_KEY + "sets"]
    folder = (state.get(_KEY + "output_dir") or "").strip() or str(_free_folder(space, sets))
    return space.training_launcher.spec(
        sets, trainer=trainer, model=str(state[_KEY + "model"]).strip(), output_dir=folder, **given
    )


def _presets(names: frozenset[str]) -> None:
    """Starting points; one that sets what the trainer does not read would be another than it says."""
    for name, values in PRESETS.items():
        if values.keys() - {"zero_stage"} <= names:
            word, about = _PRESET_WORDS.get(name, (name, ""))
            st.button(word, help=about, key=f"training_preset_{name}", on_click=_apply, args=(values,))


def _apply(values: dict[str, Any]) -> None:
    """A preset changes its own options and puts the others back; what it is about, and where, stays."""
    sample = TrainingSpec.model_construct(
        **{name: field.default for name, field in TrainingSpec.model_fields.items()} | values
    )
    for name, value in from_spec(sample).items():
        if name not in _PLACES:
            st.session_state[_KEY + name] = to_widget(ALL[name], value)


def _chosen(space: Workspace, sets: list[SetRow], trainings: list[TrainingRow]) -> None:
    known = {set_name(row): row for row in sets}
    st.multiselect(
        "Sets",
        list(reversed(known)),
        key=_KEY + "sets",
        placeholder="one or more frozen sets",
        format_func=lambda name: f"{clean(name, 80)} · {_holds(known[name])}",
    )
    used = [row.model for row in reversed(trainings)]
    model_field([*judges(space.runs.list()), *used], _KEY + "model")
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    left.selectbox(
        "Trainer",
        list(TRAINERS),
        key=_KEY + "trainer",
        format_func=lambda name: f"{name} · {TRAINERS[name].label}",
        help="  \n".join(f"{name}: {kind.purpose}" for name, kind in TRAINERS.items()),
    )
    right.text_input(
        "Output folder", key=_KEY + "output_dir", placeholder=str(_free_folder(space, st.session_state[_KEY + "sets"]))
    )


def _holds(row: SetRow) -> str:
    counts = row.counts
    kinds = [many(int(counts[kind]), kind) for kind in ("image", "video") if counts.get(kind)]
    sides = f"{counts.get('first', 0):,} first, {counts.get('second', 0):,} second"
    return ", ".join([*kinds, sides])


def _template() -> None:
    st.text_area(
        "Command",
        key=_KEY + "command",
        height=160,
        help="Arguments, never a shell. Places such as {data}, {model} and {output} are filled in.",
    )
    st.caption("Fields appear below for the places that the command names.")
    with st.container(horizontal=True, gap="small"):
        for name in EXAMPLES:
            st.button(f"Example: {name}", key=f"example_{name}", on_click=_take, args=(name,))


def _take(name: str) -> None:
    st.session_state[_KEY + "command"] = EXAMPLES[name].template
    st.session_state[_KEY + "data_format"] = EXAMPLES[name].data_format


def _checks(space: Workspace, spec: TrainingSpec) -> str | None:
    """Draw the preflight; what stands in the way of starting."""
    left, right = st.columns([2, 1], vertical_alignment="center")
    left.markdown("**Before it starts**")
    asked = json.dumps(spec.model_dump(mode="json"))
    again = right.button(
        "Check again",
        type="tertiary",
        key="training_check",
        help="On a small judge it also compares what its own texts cost in the trainer and at inference.",
    )
    if again:
        st.session_state[_KEY + "thorough"] = asked
    # It takes a judge that answers, so nobody who only changes a field waits for it.
    thorough = st.session_state.get(_KEY + "thorough") == asked
    key = ("preflight", str(space.folder), asked, str(thorough))
    if again:
        forget(key)
    checks = ready(
        key, lambda: space.training_launcher.preflight(spec, thorough=thorough), words="Checking", height=260
    )
    if checks is None:
        return "Start is possible once everything has been looked at."
    failed = draw_checks(checks)
    return f"Start is possible once this is settled: {', '.join(failed)}." if failed else None


def _commands(space: Workspace, spec: TrainingSpec) -> None:
    st.markdown("**The same as a command**")
    st.code(visible(start_line(spec, workspace=space.folder)), language=None, wrap_lines=True)
    try:
        plan = space.training_launcher.plan(spec)
    except WinnowError:
        return  # the checks have said why
    if len(plan.node_lines) == 1:
        with st.expander("What it runs, and with which environment"):
            st.code(visible(command_line(plan.command)), language=None, wrap_lines=True)
        return
    st.markdown("**On each machine**")
    st.caption(
        "The output folder and the media lie on a disk that all machines see. Start begins it on "
        f"machine {spec.node_rank}; when its log says that the trainer runs, start these on the others. "
        "`winnow train show` prints them again then, as the rows came out."
    )
    for rank, line in enumerate(plan.node_lines):
        st.caption(f"machine {rank}{', this one' if rank == spec.node_rank else ''}")
        st.code(visible(line), language=None, wrap_lines=True)
