"""The curves of one training, or of two over each other: one message a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from backend.training.base import Metric
from dashboard.labels import label
from dashboard.tables import table
from dashboard.theme import FIRST, SECOND, chart

_COLOURS = (FIRST, SECOND)
_TABLE = 400
_LARGE = 300
_NEAR = 0.5
"""Above this share of the highest value the lowest one no longer needs the zero line beside it."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What one training measured. ``name`` stands beside its lines where there are several."""

    name: str
    metrics: Sequence[Metric]

    def line(self, field: str) -> list[tuple[int, float]]:
        """The steps at which something was measured and is a number, and what."""
        found = [(metric.step, getattr(metric, field)) for metric in self.metrics]
        return [(step, value) for step, value in found if value is not None and math.isfinite(value)]


@dataclass(frozen=True, slots=True)
class _Line:
    points: list[tuple[int, float]]
    name: str
    colour: str
    held_out: bool = False


def curves(found: Sequence[Curve], *, key: str, steps: int = 0) -> None:
    """Draw them. Of one training the validation is in the second colour; of two, the second is.

    Args:
        steps: Leave room for so many, so that a live curve grows into its place.
    """
    several = len(found) > 1
    steps = max([steps, *(metric.step for curve in found for metric in curve.metrics[-1:])])
    if not steps:
        st.caption("No step is done yet; the curves begin with the first.")
        return
    loss = _lines(found, "loss", several) + _held_out(found, several)
    _chart(
        "**Loss** of each step" + (_diamonds(loss) if several else ""),
        loss,
        steps,
        key=f"{key}_loss",
        height=320,
        form="%{y:.4f}",
    )
    left, right = st.columns(2, gap="medium")
    with left:
        _chart(
            "**Learning rate**",
            _lines(found, "learning_rate", several),
            steps,
            key=f"{key}_learning_rate",
            height=200,
            form="%{y:.3g}",
        )
    with right:
        _chart(
            "**Rows a second**",
            _lines(found, "samples_per_s", several),
            steps,
            key=f"{key}_samples_per_s",
            height=200,
            form="%{y:.3g}",
        )
    with st.popover("Numbers", type="tertiary"):
        table(_table(found), hide_index=True, width="stretch")


def _lines(found: Sequence[Curve], field: str, several: bool) -> list[_Line]:
    alone = "training" if field == "loss" and _held_out(found, several) else ""
    return [
        _Line(curve.line(field), curve.name if several else alone, colour)
        for curve, colour in zip(found, _COLOURS, strict=False)
        if curve.line(field)
    ]


def _held_out(found: Sequence[Curve], several: bool) -> list[_Line]:
    return [
        _Line(
            curve.line("validation_loss"), "" if several else "validation", colour if several else SECOND, held_out=True
        )
        for curve, colour in zip(found, _COLOURS, strict=False)
        if curve.line("validation_loss")
    ]


def _diamonds(lines: Sequence[_Line]) -> str:
    return "; diamonds are the pairs kept for validation" if any(line.held_out for line in lines) else ""


def _chart(words: str, lines: Sequence[_Line], steps: int, *, key: str, height: int, form: str) -> None:
    st.markdown(words)
    if not lines:
        st.caption("This trainer does not say.")
        return
    fig = go.Figure()
    for line in lines:
        _draw(fig, line, form)
    _name(fig, lines)
    values = [value for line in lines for _, value in line.points]
    named = any(line.name for line in lines)
    room = (1.15 if height >= _LARGE else 1.24) if named else 1.02
    fig.update_xaxes(range=[0, steps * room], title="step")
    near = height >= _LARGE and min(values) > _NEAR * max(values)
    fig.update_yaxes(rangemode="normal" if near else "tozero", exponentformat="e", showexponent="all")
    chart(fig, key=key, height=height)


def _draw(fig: go.Figure, line: _Line, form: str) -> None:
    said = f"{'validation, ' if line.held_out else ''}step %{{x}}: {form}"
    single = len(line.points) == 1
    fig.add_scatter(
        x=[step for step, _ in line.points],
        y=[value for _, value in line.points],
        mode="lines+markers" if line.held_out or single else "lines",
        line={"color": line.colour, "width": 1 if line.held_out else 2, "dash": "dot" if line.held_out else "solid"},
        marker={"size": 8, "symbol": "diamond" if line.held_out else "circle"},
        hovertemplate=f"{said}<extra>{label(line.name, 30)}</extra>",
    )


def _name(fig: go.Figure, lines: Sequence[_Line]) -> None:
    """Names beside the lines' ends instead of a legend; the upper line's is the upper one."""
    named = sorted((line for line in lines if line.name), key=lambda line: -line.points[-1][1])
    for place, line in enumerate(named):
        step, value = line.points[-1]
        mark = "◆" if line.held_out else "●"
        fig.add_annotation(
            x=step,
            y=value,
            showarrow=False,
            xanchor="left",
            xshift=8,
            font={"size": 12},
            text=f'<span style="color:{line.colour}">{mark}</span> {label(line.name, 24)}',
            yshift=0 if len(named) == 1 else 9 - 18 * place,
        )


def _table(found: Sequence[Curve]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for curve in found:
        stride = max(1, -(-len(curve.metrics) // _TABLE))
        rows += [
            {
                **({"training": curve.name} if len(found) > 1 else {}),
                "step": metric.step,
                "loss": metric.loss,
                "validation loss": metric.validation_loss,
                "learning rate": None if metric.learning_rate is None else f"{metric.learning_rate:.3g}",
                "rows/s": metric.samples_per_s,
            }
            for metric in curve.metrics[::stride]
        ]
    return rows
