"""Accuracy and acceptance, run after run."""

from __future__ import annotations

from collections import Counter

import plotly.graph_objects as go
import streamlit as st

from backend.store.runs import RunRow
from dashboard.labels import ink, label
from dashboard.models import model_name
from dashboard.numbers import percent, with_interval
from dashboard.overview.counting import History
from dashboard.tables import table
from dashboard.text import clean
from dashboard.theme import ACCEPTED, WAITING, chart

_FEW = 8
"""Up to so many runs there is room for words beside each."""
_LETTERS = 40
"""So many letters stand beside each other below a chart, where it is narrowest."""


def accuracy_chart(rows: History) -> None:
    """Accuracy of each run, those of one dataset joined by a line."""
    st.markdown("**Accuracy of each run**, with its 95 % interval")
    _accuracy(rows)


def acceptance_chart(rows: History) -> None:
    """The share of each run that counts as accepted."""
    st.markdown("**Share accepted in each run**, rulings included")
    _accepted(rows)


def history_numbers(rows: History) -> None:
    """The table behind both charts."""
    with st.popover("Numbers of the runs", type="tertiary"):
        table(
            [
                {
                    "run": run.id,
                    "dataset": clean(run.dataset),
                    "model": model_name(run.model),
                    "predictions": counts.done,
                    "accuracy": with_interval(counts.accuracy) if counts.accuracy else "–",
                    "accepted": percent(counts.effective / counts.done),
                }
                for run, counts in rows
            ],
            hide_index=True,
            width="stretch",
        )


def _accuracy(rows: History) -> None:
    fig = go.Figure()
    for dataset, place in _groups(rows).items():
        mine = [
            (run, counts.accuracy)
            for run, counts in rows
            if run.dataset == dataset and counts.accuracy and counts.accuracy.n
        ]
        if not mine:
            continue
        values = [100 * (share.value or 0) for _, share in mine]
        fig.add_scatter(
            x=[[place] * len(mine), [_tick(run, rows) for run, _ in mine]],
            y=values,
            mode="lines+markers",
            line={"color": ink(), "width": 1},
            marker={"size": 9},
            error_y={
                "type": "data",
                "array": [100 * s.interval[1] - v for v, (_, s) in zip(values, mine, strict=True)],
                "arrayminus": [v - 100 * s.interval[0] for v, (_, s) in zip(values, mine, strict=True)],
                "color": WAITING,
                "thickness": 1.5,
            },
            hovertemplate=[
                f"run {run.id}: {with_interval(share)}<br>{label(model_name(run.model), 40)} on "
                f"{label(run.dataset, 40)}<extra></extra>"
                for run, share in mine
            ],
        )
    _axes(fig)
    chart(fig, key="history_accuracy", height=260)


def _accepted(rows: History) -> None:
    fig = go.Figure()
    few = len(rows) <= _FEW
    for dataset, place in _groups(rows).items():
        mine = [(run, counts) for run, counts in rows if run.dataset == dataset]
        shares = [counts.effective / counts.done for _, counts in mine]
        fig.add_bar(
            x=[[place] * len(mine), [_tick(run, rows) for run, _ in mine]],
            y=[100 * share for share in shares],
            marker={"color": ACCEPTED},
            text=[percent(share, 0) for share in shares] if few else None,
            textposition="outside",
            cliponaxis=False,
            hovertemplate=[
                f"run {run.id}: {counts.effective:,} of {counts.done:,}<br>"
                f"{model_name(run.model, 40)} on {label(run.dataset, 40)}<extra></extra>"
                for run, counts in mine
            ],
        )
    # Each bar is a trace's own place on the axis: beside each other they would be slivers.
    fig.update_layout(barmode="overlay")
    _axes(fig)
    chart(fig, key="history_accepted", height=260)


def _groups(rows: History) -> dict[str, str]:
    """Each dataset and how it is called under its runs: as long as the room that they have."""
    names: dict[str, str] = {}
    for dataset, mine in Counter(run.dataset for run, _ in rows).items():
        name = label(dataset, max(4, _LETTERS * mine // len(rows)))
        while name in names.values():  # cut alike: a blank at the end tells them apart
            name += " "
        names[dataset] = name
    return names


def _tick(run: RunRow, rows: History) -> str:
    return f"run {run.id}" if len(rows) <= _FEW else str(run.id)


def _axes(fig: go.Figure) -> None:
    places = sum(len(trace.y) for trace in fig.data)
    fig.update_xaxes(
        showgrid=False, type="multicategory", range=[-0.5, places - 0.5], dividercolor="rgba(138,144,150,0.25)"
    )
    ticks = [0, 25, 50, 75, 100]
    fig.update_yaxes(range=[0, 105], tickvals=ticks, ticktext=[f"{tick} %" for tick in ticks])
