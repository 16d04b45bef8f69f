"""Colours and the look of charts. Colour-blind eyes tell these apart; a letter or shape goes with each."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from dashboard.labels import ink

FIRST = "#0072B2"
SECOND = "#E69F00"
ACCEPTED = "#009E73"
REJECTED = "#D55E00"
WAITING = "#8A9096"
FLAGGED = "#CC79A7"
RUN_A, RUN_B = "#5B6670", "#A3ABB3"
"""Two of anything else than sides: greys, since blue and orange are the two sides of a pair."""

LIGHT_INK, DARK_INK = "#FFFFFF", "#14171A"
QUIET = {"light": "#5B6066", "dark": "#A9AEB4"}
"""Captions, in either theme: Streamlit's own grey is too faint on a light page."""
ACCENT = {"light": "#0067A3", "dark": "#5AB4E5"}
"""The primary colour of ``.streamlit/theme.toml``."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


def contrast(one: str, other: str) -> float:
    """The contrast of two opaque colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def text_on(colour: str) -> str:
    """The colour of text inside a mark of that colour, in both themes."""
    return max((LIGHT_INK, DARK_INK), key=lambda text: contrast(text, colour))


def figure(fig: go.Figure, *, height: int = 260) -> go.Figure:
    """Give a figure our look: no frame, no legend, room for what is said in words."""
    text = {"color": ink()}
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 32 if fig.layout.title.text else 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 13, **text},
        showlegend=False,
        hoverlabel={"align": "left"},
        dragmode=False,
        bargap=0.25,
        uniformtext={"minsize": 10, "mode": "hide"},
    )
    # Said for each text: Streamlit's own theme has a grey for them that is too faint.
    axis = {
        "automargin": True,
        "zeroline": False,
        "gridcolor": "rgba(138,144,150,0.25)",
        "tickfont": text,
        "title": {"font": text},
    }
    fig.update_xaxes(axis)
    fig.update_yaxes(axis)
    for trace in fig.data:
        _ink_of(trace)
    return fig


def _ink_of(trace: go.Bar | go.Scatter) -> None:
    """Readable words in and beside a trace's marks, where it does not say another colour."""
    if trace.type == "bar" and isinstance(trace.marker.color, str):
        if trace.insidetextfont.color is None:
            trace.insidetextfont.color = text_on(trace.marker.color)
        trace.outsidetextfont.color = ink()
    elif trace.type == "scatter" and trace.textfont.color is None:
        trace.textfont.color = ink()


def chart(fig: go.Figure, *, key: str, height: int = 260) -> None:
    """Draw a figure over the whole width, without plotly's toolbar."""
    st.plotly_chart(figure(fig, height=height), width="stretch", key=key, config={"displayModeBar": False})
