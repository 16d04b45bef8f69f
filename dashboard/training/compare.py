"""Two trainings' curves over each other, and in what they differ."""

from __future__ import annotations

import streamlit as st

from backend.store.trainings import TrainingRow
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace
from dashboard.text import clean
from dashboard.training.card import training_name
from dashboard.training.curves import Curve, curves


def two_trainings(space: Workspace, rows: list[TrainingRow]) -> None:
    """Choose two and draw them. What is chosen is in the URL: ``compare=A,B``."""
    by_id = {row.id: row for row in rows}
    asked = [int(word) for word in st.query_params["compare"].split(",") if word.isdecimal()]
    ids = [one for one in asked if one in by_id]
    ids = [*ids, *(one for one in reversed(by_id) if one not in ids)][:2]
    left, right = st.columns(2)
    for column, place in ((left, 0), (right, 1)):
        key = f"compare_{place}"
        if st.session_state.get(key) not in by_id:
            st.session_state[key] = ids[place]
        with column:
            st.selectbox(
                "AB"[place], list(reversed(by_id)), key=key, on_change=_write,
                format_func=lambda one: training_name(by_id[one]),
            )  # fmt: skip
    chosen = [by_id[st.session_state[f"compare_{place}"]] for place in (0, 1)]
    views = [space.trainer.view(row.id) for row in chosen]
    curves([Curve(f"training {v.row.id}", v.metrics) for v in views], key="compare")
    _differences([view.spec for view in views], chosen)


def _write() -> None:
    st.query_params["compare"] = ",".join(
        str(st.session_state[f"compare_{place}"]) for place in (0, 1)
    )


def _differences(specs: list[TrainingSpec], rows: list[TrainingRow]) -> None:
    one, other = (spec.model_dump(mode="json") for spec in specs)
    one["sets"], other["sets"] = (
        ", ".join(f"{ref.name}@{ref.version}" for ref in spec.sets) for spec in specs
    )
    changed = [
        {
            "option": name,
            f"A · {rows[0].id}": clean(one[name]),
            f"B · {rows[1].id}": clean(other[name]),
        }
        for name in one
        if one[name] != other[name]
    ]
    st.markdown("**In what they differ**")
    if changed:
        st.dataframe(changed, hide_index=True, width="stretch", height="content")
    else:
        st.caption("In nothing.")
