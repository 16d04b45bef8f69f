"""Colours: what is written can be read, in either theme."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from dashboard import labels, theme

ROOT = Path(__file__).resolve().parents[2]
READABLE = 4.5
MARKS = (
    theme.FIRST,
    theme.SECOND,
    theme.ACCEPTED,
    theme.REJECTED,
    theme.WAITING,
    theme.FLAGGED,
    theme.RUN_A,
    theme.RUN_B,
)
SCHEMES = ("light", "dark")


def configured(scheme: str) -> dict[str, Any]:
    with (ROOT / "dashboard" / ".streamlit" / "theme.toml").open("rb") as file:
        return dict(tomllib.load(file)["theme"][scheme])


def grounds(scheme: str) -> list[str]:
    colours = configured(scheme)
    return [colours["backgroundColor"], colours["secondaryBackgroundColor"], colours["sidebar"]["backgroundColor"]]


def mixed(over: str, under: str, opacity: float) -> str:
    parts = [round(opacity * int(over[i : i + 2], 16) + (1 - opacity) * int(under[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{part:02X}" for part in parts)


def test_contrast_is_that_of_the_standard() -> None:
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert theme.contrast("#808495", "#FFFFFF") == pytest.approx(3.72, abs=0.01)
    assert theme.contrast("#FFFFFF", "#009E73") == pytest.approx(3.42, abs=0.01)


@pytest.mark.parametrize("colour", MARKS)
def test_words_inside_a_mark_can_be_read(colour: str) -> None:
    assert theme.contrast(theme.text_on(colour), colour) >= READABLE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_on_a_page_can_be_read(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = configured(scheme)
    assert theme.ACCENT[scheme] == colours["primaryColor"]
    assert theme.contrast(theme.text_on(theme.ACCENT[scheme]), theme.ACCENT[scheme]) >= READABLE
    _browser_shows(scheme, monkeypatch)
    for ground in grounds(scheme):
        for text in (colours["textColor"], colours["linkColor"], labels.ink(), theme.QUIET[scheme]):
            assert theme.contrast(text, ground) >= READABLE, (text, ground)
        for opacity in _opacities():
            assert theme.contrast(mixed(colours["textColor"], ground, opacity), ground) >= READABLE


def _opacities() -> list[float]:
    """Every opacity in our own style sheets that words have."""
    found = set()
    for path in [*ROOT.glob("dashboard/**/*.css"), *ROOT.glob("dashboard/**/*.py")]:
        if "pair_viewer" in path.parts or "training" in path.parts:
            continue
        for value in re.findall(r"opacity: (0?\.\d+);", path.read_text(encoding="utf-8")):
            found.add(float(value))
    assert found
    return sorted(found)


def _browser_shows(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.labels.st.context", type("C", (), {"theme": type("T", (), {"type": scheme})}))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_of_a_chart_says_its_colour(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left unsaid gets Streamlit's grey, which is too faint."""
    _browser_shows(scheme, monkeypatch)
    fig = go.Figure()
    for colour in MARKS:
        fig.add_bar(x=[1], y=["a"], marker={"color": colour}, text=["one"])
    fig.add_scatter(x=[1], y=["a"], mode="markers+text", text=["one"])
    fig.update_xaxes(title={"text": "words"})
    theme.figure(fig)
    ground = configured(scheme)["backgroundColor"]
    outside = [fig.layout.font.color, fig.data[-1].textfont.color]
    for axis in (fig.layout.xaxis, fig.layout.yaxis):
        outside += [axis.tickfont.color, axis.title.font.color]
    outside += [trace.outsidetextfont.color for trace in fig.data[:-1]]
    for colour in outside:
        assert theme.contrast(colour, ground) >= READABLE
    for trace in fig.data[:-1]:
        assert theme.contrast(trace.insidetextfont.color, trace.marker.color) >= READABLE
    assert fig.layout.xaxis.title.text == "words"


def test_the_greys_of_two_runs_are_told_apart() -> None:
    for one, other in pairwise((theme.RUN_A, theme.RUN_B)):
        assert theme.contrast(one, other) >= 2
