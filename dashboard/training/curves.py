"""The curves of one training, or of two over each other: one message a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from backend.training.base import Metric
from dashboard.labels import label
from dashboard.numbers import compact
from dashboard.theme import FIRST, SECOND, WAITING, chart

_CHARTS = (
    ("loss", "**Loss**, step by step", "%{y:.4f}"),
    ("learning_rate", "**Learning rate**", "%{y:.3g}"),
    ("samples_per_s", "**Rows a second**", "%{y:.3g}"),
)
_COLOURS = (FIRST, SECOND)
_TABLE = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """What one training measured. ``name`` stands beside its lines where there are several."""

    name: str
    metrics: Sequence[Metric]


def curves(found: Sequence[Curve], *, key: str, steps: int = 0) -> None:
    """Draw them; one curve in the first colour, the other in the second.

    Args:
        steps: Leave room for so many, so that a live curve grows into its place.
    """
    kinds = [
        one
        for one in _CHARTS
        if any(getattr(m, one[0]) is not None for c in found for m in c.metrics)
    ]
    if not kinds:
        st.caption("No step is done yet; the curves begin with the first.")
        return
    _chart(found, kinds[0], key=key, steps=steps, height=320)
    for column, kind in zip(st.columns(2, gap="medium"), kinds[1:], strict=False):
        with column:
            _chart(found, kind, key=key, steps=steps, height=200)
    with st.popover("Numbers", type="tertiary"):
        st.dataframe(_table(found), hide_index=True, width="stretch")


def _chart(
    found: Sequence[Curve], kind: tuple[str, str, str], *, key: str, steps: int, height: int
) -> None:
    name, words, form = kind
    fig = go.Figure()
    held_out = False
    for curve, colour in zip(found, _COLOURS, strict=False):
        line = [(m.step, getattr(m, name)) for m in curve.metrics if getattr(m, name) is not None]
        if line:
            _line(fig, curve, line, colour, form, many=len(found) > 1)
        measured = [
            (m.step, m.validation_loss) for m in curve.metrics if m.validation_loss is not None
        ]
        if name == "loss" and measured:
            held_out = True
            fig.add_scatter(
                x=[x for x, _ in measured], y=[y for _, y in measured], mode="lines+markers",
                line={"color": colour, "width": 1, "dash": "dot"}, marker={"size": 8, "symbol": "diamond"},
                hovertemplate=f"validation, step %{{x}}: {form}<extra></extra>",
            )  # fmt: skip
    st.markdown(f"{words}; diamonds are the pairs held out" if held_out else words)
    last = max((m.step for c in found for m in c.metrics), default=1)
    fig.update_xaxes(range=[0, max(steps, last) * (1.12 if len(found) > 1 else 1.02)], title="step")
    fig.update_yaxes(
        rangemode="tozero", exponentformat="power" if name == "learning_rate" else "none"
    )
    chart(fig, key=f"{key}_{name}", height=height)


def _line(
    fig: go.Figure,
    curve: Curve,
    line: list[tuple[int, float]],
    colour: str,
    form: str,
    *,
    many: bool,
) -> None:
    fig.add_scatter(
        x=[x for x, _ in line], y=[y for _, y in line],
        mode="lines+markers" if len(line) < 3 else "lines",
        line={"color": colour, "width": 2},
        hovertemplate=f"step %{{x}}: {form}<extra>{label(curve.name, 30) if many else ''}</extra>",
    )  # fmt: skip
    if many:  # the name beside the line's end, instead of a legend
        fig.add_annotation(
            x=line[-1][0], y=line[-1][1], text=label(curve.name, 24), showarrow=False,
            xanchor="left", xshift=6, font={"size": 12, "color": colour},
        )  # fmt: skip
    else:
        fig.add_scatter(x=[line[-1][0]], y=[line[-1][1]], mode="markers", hoverinfo="skip",
                        marker={"size": 7, "color": colour, "line": {"color": WAITING, "width": 1}})  # fmt: skip


def _table(found: Sequence[Curve]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for curve in found:
        stride = max(1, len(curve.metrics) // _TABLE)
        rows += [
            {
                **({"training": curve.name} if len(found) > 1 else {}),
                "step": m.step,
                "loss": m.loss,
                "validation loss": m.validation_loss,
                "learning rate": m.learning_rate,
                "rows/s": None if m.samples_per_s is None else compact(m.samples_per_s),
            }
            for m in curve.metrics[::stride]
        ]
    return rows
