"""The training form: sets, trainer and hyperparameters; checks and command beside it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import ValidationError

from backend.demo.judge import shipped_judge
from backend.errors import DemoError, UsageError
from backend.store.sets import SetRow
from backend.store.trainings import TrainingRow
from backend.training.base import Check, Level
from backend.training.command import EXAMPLES, split_template
from backend.training.command_line import start_line
from backend.training.launch import command_line, spec_of
from backend.training.registry import TRAINERS
from backend.training.spec import PRESETS, TrainingSpec
from backend.workspace import Workspace
from dashboard.background import forget, ready
from dashboard.numbers import many
from dashboard.option_fields import fields, folded, from_widget, to_widget
from dashboard.page import errors_shown
from dashboard.runs.card import model_name
from dashboard.text import clean, md
from dashboard.training.options import ALL, GROUPS, IN_VIEW, from_spec, to_spec, used_by

_KEY = "training_"
_LOADED = "training_loaded"
_TRAINER_WORDS = {
    "local": "local · built in",
    "lightrft": "lightrft · on GPUs",
    "command": "command · any program",
}
_PRESET_WORDS = {
    "full": ("Full", "all weights, the field's defaults"),
    "lora": ("Adapters", "LoRA at a learning rate of 1e-4"),
    "two-gpus": ("Two GPUs", "two processes on this machine"),
    "smoke": ("Smoke test", "five steps, to see that everything works"),
}
_MARKS = {Level.OK: "✓", Level.WARN: "▲", Level.FAIL: "✕"}


def load_form(space: Workspace, sets: list[SetRow], row: TrainingRow | None, *, again: str) -> None:
    """Fill the form once for each ``again``: from a training, or with the defaults."""
    # Streamlit forgets widgets that a visit to another page did not draw.
    if st.session_state.get(_LOADED) == again and _KEY + "sets" in st.session_state:
        return
    st.session_state[_LOADED] = again
    known = [set_name(one) for one in sets]
    asked = [name for name in st.query_params.get("set", "").split(",") if name]
    values: dict[str, Any] = {option.name: option.default for option in ALL.values()}
    chosen = [name for one in asked if (name := _newest(one, known))]
    values |= {"sets": chosen, "trainer": "local", "model": None, "command": ""}
    values["output_dir"] = str(_free_folder(space, chosen))
    if row is not None:
        spec = spec_of(row)
        names = [f"{ref.name}@{ref.version}" for ref in spec.sets]
        values |= from_spec(spec) | {
            "sets": [name for name in names if name in known],
            "trainer": spec.trainer,
            "model": spec.model,
            "command": " ".join(_quoted(spec.command)),
            "output_dir": str(_free_folder(space, names)),
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
    word = "".join(c if c.isalnum() or c in "-_." else "-" for c in word).strip(".-")[:60]
    base, number = space.folder / "trainings", 1
    taken = {row.output_dir for row in space.trainings.list()}
    while True:
        folder = (base / f"{word or 'training'}-{number}").resolve()
        if str(folder) not in taken and not folder.exists():
            return folder
        number += 1


def _quoted(words: tuple[str, ...]) -> list[str]:
    import shlex

    return [shlex.quote(word) for word in words]


@st.fragment
def training_form(space: Workspace, sets: list[SetRow], trainings: list[TrainingRow]) -> None:
    """Draw the form; starts the training and opens it."""
    left, right = st.columns([3, 2], gap="large")
    with left, errors_shown():
        _presets()
        _chosen(space, sets, trainings)
        trainer = st.session_state[_KEY + "trainer"]
        fields(used_by(trainer, IN_VIEW), _KEY)
        if trainer == "command":
            _template()
        for title, options in GROUPS.items():
            folded(title, used_by(trainer, options), _KEY)
    with right, errors_shown():
        missing = [word for word in ("sets", "model") if not st.session_state.get(_KEY + word)]
        if missing:
            words = " and ".join({"sets": "a set", "model": "a model"}[word] for word in missing)
            st.caption(f"Choose {words}; the checks and the command appear here.")
            return
        spec = spec_from_form(space)
        stopped = _checks(space, spec)
        if st.button("Start training", type="primary", disabled=stopped, key="training_start"):
            training = space.trainer.start(spec)
            space.supervise()
            st.session_state.pop(_LOADED, None)
            st.query_params.from_dict({"training": str(training)})
            st.rerun()
        _commands(space, spec)


def spec_from_form(space: Workspace) -> TrainingSpec:
    """What the form asks for.

    Raises:
        UsageError: A field is empty or out of range.
    """
    state = st.session_state
    trainer = str(state[_KEY + "trainer"])
    values = {name: from_widget(option, _KEY) for name, option in ALL.items()}
    try:
        given = to_spec(values, trainer)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"lora_{first['loc'][0]}: {first['msg']}") from error
    if trainer == "command":
        given["command"] = split_template(state.get(_KEY + "command") or "")
    folder = (state.get(_KEY + "output_dir") or "").strip()
    if not folder:
        raise UsageError("no output folder yet", hint="give one that is empty or not there")
    return space.trainer.spec(
        state[_KEY + "sets"],
        trainer=trainer,
        model=str(state[_KEY + "model"]).strip(),
        output_dir=folder,
        **given,
    )


def _presets() -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for name, values in PRESETS.items():
            word, about = _PRESET_WORDS.get(name, (name, ""))
            st.button(
                word, help=about, key=f"training_preset_{name}", on_click=_apply, args=(values,)
            )


def _apply(values: dict[str, Any]) -> None:
    """A preset changes its own options and puts the others back; sets, model and trainer stay."""
    sample = TrainingSpec.model_construct(
        **{name: field.default for name, field in TrainingSpec.model_fields.items()} | values
    )
    for name, value in from_spec(sample).items():
        st.session_state[_KEY + name] = to_widget(ALL[name], value)


def _chosen(space: Workspace, sets: list[SetRow], trainings: list[TrainingRow]) -> None:
    known = {set_name(row): row for row in sets}
    st.multiselect(
        "Sets", list(reversed(known)), key=_KEY + "sets", placeholder="one or more frozen sets",
        format_func=lambda name: f"{clean(name, 80)} · {_holds(known[name])}",
    )  # fmt: skip
    st.selectbox(
        "Model", _known_models(space, trainings), key=_KEY + "model", accept_new_options=True,
        index=None, placeholder="folder, or ORGANISATION/NAME", format_func=_model_words,
    )  # fmt: skip
    left, right = st.columns([1, 2])
    left.selectbox(
        "Trainer", TRAINERS, key=_KEY + "trainer", format_func=_TRAINER_WORDS.__getitem__,
        help="local trains on the CPU or GPUs of this machine; lightrft needs its checkout in "
        "LIGHTRFT_HOME; command starts any other program.",
    )  # fmt: skip
    right.text_input("Output folder", key=_KEY + "output_dir")


def _holds(row: SetRow) -> str:
    counts = row.counts
    kinds = [many(int(counts[kind]), kind) for kind in ("image", "video") if counts.get(kind)]
    sides = f"{counts.get('first', 0):,} first, {counts.get('second', 0):,} second"
    return ", ".join([*kinds, sides])


def _known_models(space: Workspace, trainings: list[TrainingRow]) -> list[str]:
    """Models that runs judged with or trainings began from; the newest first, then the demo's."""
    known = [run.model for run in reversed(space.runs.list()) if run.job_id is not None]
    known += [row.model for row in reversed(trainings)]
    with suppress(DemoError):
        known.append(str(shipped_judge()))
    typed = st.session_state.get(_KEY + "model")
    return list(dict.fromkeys([*known, *([typed] if typed else [])]))


def _model_words(model: str) -> str:
    name = model_name(model)
    return name if name == model else f"{name} · {clean(model, 120)}"


def _template() -> None:
    st.text_area(
        "Command", key=_KEY + "command", height=160,
        help="Arguments, never a shell. Places such as {data}, {model} and {output} are filled in.",
    )  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        for name in EXAMPLES:
            st.button(f"As for {name}", key=f"example_{name}", on_click=_take, args=(name,))


def _take(name: str) -> None:
    st.session_state[_KEY + "command"] = EXAMPLES[name].template
    st.session_state[_KEY + "data_format"] = EXAMPLES[name].data_format


def _checks(space: Workspace, spec: TrainingSpec) -> bool:
    """Draw the preflight; whether something stands in the way, or is not known yet."""
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.markdown("**Before it starts**")
    key = ("preflight", str(space.folder), space.person, json.dumps(spec.model_dump(mode="json")))
    if right.button("Check again", type="tertiary", key="training_check"):
        forget(key)
    checks = ready(key, lambda: space.trainer.preflight(spec), words="Checking", height=200)
    for check in checks or ():
        _check(check)
    return checks is None or any(check.level is Level.FAIL for check in checks)


def _check(check: Check) -> None:
    hint = f" · {md(check.hint)}" if check.hint and check.level is not Level.OK else ""
    st.markdown(f"{_MARKS[check.level]} **{check.name}** {md(check.message)}{hint}")


def _commands(space: Workspace, spec: TrainingSpec) -> None:
    st.markdown("**The same as a command**")
    st.code(start_line(spec, workspace=space.folder), language=None, wrap_lines=True)
    with errors_shown():
        plan = space.trainer.plan(spec)
        if len(plan.node_lines) == 1:
            with st.expander("What it runs, with its environment"):
                st.code(command_line(plan.command), language=None, wrap_lines=True)
            return
        st.markdown("**On each machine**")
        for rank, line in enumerate(plan.node_lines):
            st.caption(f"machine {rank}")
            st.code(line, language=None, wrap_lines=True)
