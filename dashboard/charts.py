"""Charts that more than one page draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from backend.inference.analysis import Share
from dashboard.labels import label
from dashboard.numbers import with_interval
from dashboard.tables import table
from dashboard.theme import WAITING, chart


def numbers(rows: Sequence[dict[str, Any]], key: str) -> None:
    """The table behind a chart."""
    with st.popover("Numbers", type="tertiary", key=f"numbers_{key}"):
        table(rows, hide_index=True, width="stretch", key=f"table_{key}")


def shares(
    rows: Sequence[tuple[str, Share, str]], *, key: str, reference: float | None = None, height: int | None = None
) -> None:
    """Shares with their 95 % intervals as dots and whiskers, labelled in words.

    Args:
        rows: Name, share and colour.
        reference: A line that the shares are to be seen against.
    """
    rows = [row for row in rows if row[1].n]
    values = [100 * (share.value or 0) for _, share, _ in rows]
    low = [value - 100 * share.interval[0] for value, (_, share, _) in zip(values, rows, strict=True)]
    high = [100 * share.interval[1] - value for value, (_, share, _) in zip(values, rows, strict=True)]
    fig = go.Figure(
        go.Scatter(
            x=values,
            y=[label(name, 28) for name, _, _ in rows],
            mode="markers+text",
            text=[f"{value:.0f} %" for value in values],
            textposition="top center",
            marker={"size": 10, "color": [colour for _, _, colour in rows]},
            error_x={"type": "data", "array": high, "arrayminus": low, "color": WAITING, "thickness": 1.5},
            hovertemplate=[
                f"{label(name)}: {with_interval(share)}<br>{share.count:,} of {share.n:,}<extra></extra>"
                for name, share, _ in rows
            ],
            cliponaxis=False,
        )
    )
    if reference is not None:
        fig.add_vline(x=reference, line={"color": WAITING, "dash": "dot", "width": 1.5})
    ticks = [0, 25, 50, 75, 100]
    fig.update_xaxes(range=[-4, 104], tickvals=ticks, ticktext=[f"{tick} %" for tick in ticks])
    # From top to bottom, with room for the words above the first dot.
    fig.update_yaxes(range=[len(rows) - 0.5, -0.8], showgrid=False)
    chart(fig, key=key, height=height or 56 + 40 * len(rows))
