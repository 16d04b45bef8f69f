"""The field in which a form asks for a model: one that is known here, or anything typed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress

import streamlit as st

from backend.demo.judge import shipped_judge
from backend.engines.registry import ENGINES, replays
from backend.errors import DemoError
from backend.store.runs import RunRow
from dashboard.text import clean


def model_name(model: str, limit: int = 60) -> str:
    """What people call a model: a folder's own name, a hub name whole."""
    if model.startswith(("/", "./")):
        model = model.rstrip("/").rsplit("/", 1)[-1]
    return clean(model, limit)


def judges(runs: Iterable[RunRow]) -> list[str]:
    """The models that judged here, the newest first."""
    ran = [run for run in runs if run.engine in ENGINES and not replays(run.engine)]
    return list(dict.fromkeys(run.model for run in sorted(ran, key=lambda run: -run.id)))


def judge_of(runs: Iterable[RunRow], chosen: Collection[int]) -> str | None:
    """The model that judged last in the ``chosen`` runs: the one that its own answers train."""
    return next(iter(judges(run for run in runs if run.id in chosen)), None)


def model_field(known: Iterable[str], key: str) -> None:
    """Draw the field; the demo's judge is always on offer."""
    known = list(known)
    with suppress(DemoError):
        known.append(str(shipped_judge()))
    typed = st.session_state.get(key)
    st.selectbox(
        "Model",
        list(dict.fromkeys([*known, *([typed] if typed else [])])),
        key=key,
        accept_new_options=True,
        index=None,
        placeholder="folder, or ORGANISATION/NAME",
        format_func=_words,
    )


def _words(model: str) -> str:
    name = model_name(model)
    return name if name == model else f"{name} · {clean(model, 120)}"
