"""Options as form fields: drawn, read back, and folded under names. State lives under a prefix."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st
from pydantic import BaseModel
from streamlit.delta_generator import DeltaGenerator

from backend.errors import UsageError
from backend.options import Model, Option, filled, options_of
from dashboard.text import clean, md
from dashboard.words import spaced


def to_widget(option: Option, value: Any) -> Any:
    """A value as the option's widget holds it."""
    if option.kind == "lines":
        return "\n".join(value or ())
    if option.kind == "several":
        return list(value or ())
    if option.kind in ("text", "long", "path"):
        return value or ""
    if option.kind == "float" and value is not None:
        return float(value)
    return value


def from_widget(option: Option, prefix: str) -> Any:
    """What the option's widget holds; its default where that is nothing."""
    value = st.session_state.get(prefix + option.name)
    if option.kind == "lines":
        return tuple(line.strip() for line in (value or "").splitlines() if line.strip())
    if option.kind in ("text", "long", "path"):
        return (value or "").strip() or option.default
    if option.kind == "several" and value is not None:
        return type(option.default)(value)
    return option.default if value is None else value


def wanted(option: Option, prefix: str) -> Any:
    """The value of the option's widget, for a spec.

    Raises:
        UsageError: It is out of the option's range. The field takes it all the same: Streamlit's
            would keep the last number in range and say nothing of it.
    """
    value = from_widget(option, prefix)
    if option.kind in ("int", "float") and value is not None and not option.holds(value):
        raise UsageError(f"{option.name} {value:g} is out of range", hint=f"it is {option.range}")
    return value


def model_fields(model: type[BaseModel], prefix: str) -> None:
    """A field for each option of a model, with its default at first."""
    options = options_of(model).values()
    for option in options:
        st.session_state.setdefault(prefix + option.name, to_widget(option, option.default))
    fields(tuple(options), prefix)


def model_wanted(model: type[Model], prefix: str, owner: str) -> Model:
    """What the fields of :func:`model_fields` hold.

    Args:
        owner: Whose options they are, such as ``a source's``.

    Raises:
        UsageError: A value is out of its option's range.
    """
    values = {name: wanted(option, prefix) for name, option in options_of(model).items()}
    return filled(model, values, of=owner, error=UsageError)


def folded(title: str, options: tuple[Option, ...], prefix: str) -> None:
    """A group of fields that is closed, its title saying what differs from the defaults."""
    if not options:
        return
    changed = [
        f"{option.name} {clean(from_widget(option, prefix), 30)}"
        for option in options
        if from_widget(option, prefix) not in (option.default, None)
    ]
    with fold(title, changed, key=f"{prefix}fold_{title}"):
        fields(options, prefix)


def fold(title: str, changed: list[str], *, key: str) -> DeltaGenerator:
    """A fold whose title says what was changed in it, and which stays open while that is changed.

    To Streamlit another title is another fold, closed: whether it is open is kept here.
    """
    st.session_state[key] = bool(st.session_state.get(key))
    said = f"{title} · {', '.join(changed)}" if changed else title
    return st.expander(md(said, 160), key=key, on_change="rerun")


def fields(options: tuple[Option, ...], prefix: str) -> None:
    """Fields in two columns; long ones over the whole width."""
    short = [option for option in options if option.kind not in ("long", "lines")]
    for place in range(0, len(short), 2):
        for column, option in zip(st.columns(2, gap="medium"), short[place : place + 2], strict=False):
            with column:
                field(option, prefix)
    for option in options:
        if option.kind in ("long", "lines"):
            field(option, prefix)


def field(option: Option, prefix: str, *, brief: bool = False) -> None:
    """One option with its default and when to change it.

    Args:
        brief: These are told where one points at it, and not below it.
    """
    key, label = prefix + option.name, option.label or option.name
    default = choice_words(option, option.default) if option.kind == "choice" else _said(option.default)
    about = f"Default {default}. Change: {option.when}."
    help = f"{option.help}. {about}" if brief else option.help
    if option.kind in ("int", "float"):
        cast = int if option.kind == "int" else float
        st.number_input(
            label,
            key=key,
            value=None,
            placeholder="none" if option.default is None else f"{option.default:g}",
            step=cast(option.step) if option.step else _step(option),
            format="%d" if option.kind == "int" else "%g",
            help=help,
        )
    elif option.kind == "bool":
        st.toggle(label, key=key, help=help)
    elif option.kind == "choice":
        st.selectbox(label, option.choices, key=key, format_func=partial(choice_words, option), help=help)
    elif option.kind == "several":
        st.multiselect(label, option.choices, key=key, format_func=partial(choice_words, option), help=help)
    elif option.kind in ("lines", "long"):
        st.text_area(label, key=key, height=96, help=help)
    else:
        st.text_input(label, key=key, help=help)
    if not brief:
        st.caption(about)


def choice_words(option: Option, value: Any) -> str:
    """What one of an option's choices is called."""
    if value in option.names:
        return option.names[value]
    if option.kind == "several":
        return spaced(str(value))
    return "usual" if value is None else _said(value)


def _step(option: Option) -> float:
    """A step of the arrows beside a number that suits its size."""
    if option.kind == "int":
        return 1
    return option.default / 10 if option.default and option.default < 1 else 0.1


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value in ((), frozenset()):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
