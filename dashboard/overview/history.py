"""Accuracy and acceptance, run after run."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from backend.store.runs import RunRow
from dashboard.labels import label
from dashboard.models import model_name
from dashboard.numbers import percent, with_interval
from dashboard.overview.counting import History
from dashboard.overview.naming import HIGHEST, Span, free_places
from dashboard.text import clean
from dashboard.theme import ACCEPTED, FIRST, WAITING, chart


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
        st.dataframe(
            [
                {"run": run.id, "dataset": clean(run.dataset), "model": model_name(run.model),
                 "predictions": counts.done,
                 "accuracy": with_interval(counts.accuracy) if counts.accuracy else "–",
                 "accepted": percent(counts.effective / counts.done)}
                for run, counts in rows
            ],
            hide_index=True, width="stretch",
        )  # fmt: skip


def _accuracy(rows: History) -> None:
    known = [
        (run, counts.accuracy) for run, counts in rows if counts.accuracy and counts.accuracy.n
    ]
    fig = go.Figure()
    for dataset in dict.fromkeys(run.dataset for run, _ in known):
        mine = [(run, share) for run, share in known if run.dataset == dataset]
        values = [100 * (share.value or 0) for _, share in mine]
        fig.add_scatter(
            x=[_place(run) for run, _ in mine],
            y=values,
            mode="lines+markers",
            line={"color": FIRST, "width": 1},
            marker={"size": 9},
            error_y={
                "type": "data",
                "array": [100 * s.interval[1] - v for v, (_, s) in zip(values, mine, strict=True)],
                "arrayminus": [v - 100 * s.interval[0] for v, (_, s) in zip(values, mine, strict=True)],
                "color": WAITING, "thickness": 1.5,
            },
            hovertemplate=[
                f"run {run.id}: {with_interval(share)}<br>{label(model_name(run.model), 40)} on "
                f"{label(run.dataset, 40)}<extra></extra>"
                for run, share in mine
            ],
        )  # fmt: skip
    _axes(fig, rows)
    _name_lines(fig, rows)
    chart(fig, key="history_accuracy", height=260)


def _accepted(rows: History) -> None:
    fig = go.Figure(
        go.Bar(
            x=[_place(run) for run, _ in rows],
            y=[100 * counts.effective / counts.done for _, counts in rows],
            marker={"color": ACCEPTED},
            text=[percent(counts.effective / counts.done, 0) for _, counts in rows],
            textposition="outside",
            cliponaxis=False,
            width=0.5,
            hovertemplate=[
                f"run {run.id}: {counts.effective:,} of {counts.done:,}<br>"
                f"{model_name(run.model, 40)} on {label(run.dataset, 40)}<extra></extra>"
                for run, counts in rows
            ],
        )
    )
    _axes(fig, rows)
    chart(fig, key="history_accepted", height=260)


def _place(run: RunRow) -> str:
    return f"run {run.id}"


def _name_lines(fig: go.Figure, rows: History) -> None:
    """The dataset at its line's end, instead of a legend, where no interval passes."""
    places = [run.id for run, _ in rows]
    spans: list[Span | None] = []
    ends: dict[str, int] = {}
    for place, (run, counts) in enumerate(rows):
        share = counts.accuracy if counts.accuracy and counts.accuracy.n else None
        spans.append((100 * share.interval[0], 100 * share.interval[1]) if share else None)
        if share:
            ends[run.dataset] = place
    names = {place: clean(dataset, 24) for dataset, place in ends.items()}
    for place, (y, side) in free_places(
        spans, {at: len(name) for at, name in names.items()}
    ).items():
        fig.add_annotation(
            x=f"run {places[place]}", y=y, text=label(names[place], 24), showarrow=False,
            xanchor=side, yanchor="bottom", borderpad=0, font={"size": 12},
        )  # fmt: skip


def _axes(fig: go.Figure, rows: History) -> None:
    places = [_place(run) for run, _ in rows]
    fig.update_xaxes(categoryorder="array", categoryarray=places, range=[-0.6, len(places) - 0.4],
                     showgrid=False, type="category")  # fmt: skip
    ticks = [0, 25, 50, 75, 100]
    fig.update_yaxes(range=[0, HIGHEST], tickvals=ticks, ticktext=[f"{tick} %" for tick in ticks])
