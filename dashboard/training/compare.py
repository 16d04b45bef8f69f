"""Two trainings' curves over each other, and in what they differ."""

from __future__ import annotations

import streamlit as st

from backend.domain.jobs import OPEN
from backend.store.trainings import TrainingRow
from backend.training.spec import TrainingSpec
from backend.training.view import spec_of
from backend.workspace import Workspace
from dashboard.page import errors_shown, fragment
from dashboard.tables import table
from dashboard.text import clean
from dashboard.training.card import training_name
from dashboard.training.curves import Curve, curves
from dashboard.training.views import view_of


def two_trainings(space: Workspace, rows: list[TrainingRow]) -> None:
    """Choose two and draw them. What is chosen is in the URL: ``compare=A,B``."""
    by_id = {row.id: row for row in rows}
    asked = [int(word) for word in st.query_params["compare"].split(",") if word.isdecimal() and len(word) < 19]
    ids = [one for one in asked if one in by_id][:2]
    ids = [*ids, *(one for one in reversed(by_id) if one not in ids)][:2]
    left, right = st.columns(2)
    for column, place in ((left, 0), (right, 1)):
        key = f"compare_{place}"
        st.session_state[key] = ids[place]
        with column:
            st.selectbox(
                "AB"[place],
                list(reversed(by_id)),
                key=key,
                on_change=_write,
                format_func=lambda one: training_name(by_id[one]),
            )
    chosen = [by_id[st.session_state[f"compare_{place}"]] for place in (0, 1)]
    if chosen[0].id == chosen[1].id:
        st.caption("Choose two trainings; this is one and the same.")
        return
    _live(space, chosen)
    with errors_shown():
        _differences([spec_of(row) for row in chosen], chosen)


def _live(space: Workspace, chosen: list[TrainingRow]) -> None:
    """The curves; they grow while one of the two goes on."""

    @fragment(run_every=2.0 if any(row.status in OPEN for row in chosen) else None)
    def part() -> None:
        found = []
        for letter, row in zip("AB", chosen, strict=True):
            with errors_shown():
                now = space.trainings.get(row.id)
                found.append(Curve(f"{letter} · {row.id}", view_of(space, now).metrics))
        with errors_shown():
            curves(found, key="compare")

    part()


def _write() -> None:
    st.query_params["compare"] = ",".join(str(st.session_state[f"compare_{place}"]) for place in (0, 1))


def _differences(specs: list[TrainingSpec], rows: list[TrainingRow]) -> None:
    one, other = (spec.model_dump(mode="json") for spec in specs)
    one["sets"], other["sets"] = (", ".join(f"{ref.name}@{ref.version}" for ref in spec.sets) for spec in specs)
    changed = [
        {"option": name, f"A · {rows[0].id}": clean(one[name]), f"B · {rows[1].id}": clean(other[name])}
        for name in one
        if one[name] != other[name]
    ]
    st.markdown("**In what they differ**")
    if changed:
        table(changed, hide_index=True, width="stretch", height="content")
    else:
        st.caption("In nothing.")
