"""Colours and the look of charts. Colour-blind eyes tell these apart; a letter or shape goes with each."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

FIRST = "#0072B2"
SECOND = "#E69F00"
ACCEPTED = "#009E73"
REJECTED = "#D55E00"
WAITING = "#8A9096"
FLAGGED = "#CC79A7"

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


def figure(fig: go.Figure, *, height: int = 260) -> go.Figure:
    """Give a figure our look: no frame, no legend, room for what is said in words."""
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 32 if fig.layout.title.text else 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 13},
        showlegend=False,
        hoverlabel={"align": "left"},
        dragmode=False,
        bargap=0.25,
        uniformtext={"minsize": 10, "mode": "hide"},
    )
    fig.update_xaxes(automargin=True, zeroline=False, gridcolor="rgba(138,144,150,0.25)")
    fig.update_yaxes(automargin=True, zeroline=False, gridcolor="rgba(138,144,150,0.25)")
    return fig


def chart(fig: go.Figure, *, key: str, height: int = 260) -> None:
    """Draw a figure over the whole width, without plotly's toolbar."""
    st.plotly_chart(
        figure(fig, height=height), width="stretch", key=key, config={"displayModeBar": False}
    )
