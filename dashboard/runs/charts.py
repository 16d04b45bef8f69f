"""The charts of a run's analysis: one message each, said in words above it, its numbers on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from backend.inference.analysis import Analysis, Share
from dashboard.charts import numbers, shares
from dashboard.labels import ink
from dashboard.numbers import many, percent, with_interval
from dashboard.text import clean
from dashboard.theme import ACCEPTED, FIRST, REJECTED, SECOND, WAITING, chart
from dashboard.words import spaced

_HEIGHT = 232
_SIDES = {"first": "first shown", "second": "second shown", "tie": "tie", None: "unreadable"}


def analysis_charts(found: Analysis, run_id: int) -> None:
    """Draw everything, two charts abreast."""
    parts: list[Callable[[Analysis, str], None]] = [_confusion, _position, _captions, _margins, _dimensions, _flaws]
    for start in range(0, len(parts), 2):
        for column, part in zip(st.columns(2, gap="medium"), parts[start : start + 2], strict=False):
            with column, st.container(border=True, height="stretch"):
                part(found, f"{run_id}_{part.__name__}")


def _confusion(found: Analysis, key: str) -> None:
    better = found.accuracy_when_better_was()
    st.markdown(
        f"**Right in {with_interval(found.accuracy)}**: {percent(better['first'].value, 0)} where the "
        f"better one was shown first, {percent(better['second'].value, 0)} where it was shown second"
    )
    humans = [side for side in ("first", "second", "tie") if any(h == side for h, _ in found.confusion)]
    judges = [
        side
        for side in ("first", "second", "tie", None)
        if side in ("first", "second") or any(j == side for _, j in found.confusion)
    ]
    counts = [[found.confusion[human, judge] for judge in judges] for human in humans]
    totals = [max(1, sum(row)) for row in counts]
    fig = go.Figure(
        go.Heatmap(
            z=[[n / total for n in row] for row, total in zip(counts, totals, strict=True)],
            x=[_SIDES[judge] for judge in judges],
            y=[_SIDES[human] for human in humans],
            text=[[f"{n:,}<br>{n / total:.0%}" for n in row] for row, total in zip(counts, totals, strict=True)],
            texttemplate="%{text}",
            textfont={"color": ink()},
            hovertemplate="human: %{y}<br>judge: %{x}<br>%{text}<extra></extra>",
            colorscale=[[0, "rgba(0,114,178,0.04)"], [1, "rgba(0,114,178,0.55)"]],
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    fig.update_xaxes(showgrid=False, tickangle=0, title={"text": "judge says", "standoff": 12})
    fig.update_yaxes(autorange="reversed", showgrid=False, title={"text": "human prefers", "standoff": 12})
    chart(fig, key=key, height=_HEIGHT)
    numbers(
        [
            {"human prefers": _SIDES[human], "judge says": _SIDES[judge], "predictions": n}
            for human, row in zip(humans, counts, strict=True)
            for judge, n in zip(judges, row, strict=True)
        ],
        key,
    )


def _position(found: Analysis, key: str) -> None:
    wins, better = found.first_shown_wins, found.first_shown_better
    st.markdown(
        f"**The first-shown one wins {with_interval(wins)}**; humans prefer it in "
        f"{percent(better.value, 0)} of the same"
    )
    rows = [("first shown wins", wins, FIRST), ("human prefers first", better, WAITING)]
    for side, share in found.accuracy_when_better_was().items():
        rows.append((f"right, better {side}", share, FIRST if side == "first" else SECOND))
    if found.flips.n:
        rows.append(("flips with the order", found.flips, REJECTED))
    shares(rows, key=key, reference=50)
    if found.flips.n:
        to_first = found.flips_to_first
        bias = f"; {percent(to_first.value, 0)} of the changes are for the first shown" if to_first.n else ""
        st.caption(
            f"Judged in both orders: {many(found.flips.n, 'time')}; the winner changed in "
            f"{with_interval(found.flips)}{bias}."
        )
    else:
        st.caption("No pair was judged in both orders; a run with order “both” shows what flips.")
    numbers([_row(name, share) for name, share, _ in rows], key)


def _captions(found: Analysis, key: str) -> None:
    rows = [(f"{name} characters", share, FIRST) for name, share in found.by_caption_length()]
    st.markdown("**Accuracy by the caption's length**")
    if not rows:
        st.caption("No readable answers.")
        return
    shares(rows, key=key)
    numbers([_row(name, share) for name, share, _ in rows], key)


def _dimensions(found: Analysis, key: str) -> None:
    st.markdown("**Which dimension's scores agree with the human**")
    rows = found.by_dimension()
    if not rows:
        st.caption("No scores could be read.")
        return
    shares([(name, share, FIRST) for name, share, _ in rows], key=key)
    st.caption("Of the pairs to which the dimension gives different scores.")
    numbers([{**_row(clean(name), share), "equal scores": equal} for name, share, equal in rows], key)


def _margins(found: Analysis, key: str) -> None:
    counts = found.margins()
    st.markdown("**Margins of right and of wrong answers**")
    if not counts[True] and not counts[False]:
        st.caption("No totals could be read.")
        return
    places = range(min(min(c, default=0) for c in counts.values()), max(max(c, default=0) for c in counts.values()) + 1)
    fig = go.Figure()
    for right, name, colour in ((True, "right", ACCEPTED), (False, "wrong", REJECTED)):
        fig.add_bar(
            x=list(places),
            y=[counts[right][place] for place in places],
            marker={
                "color": colour,
                "pattern": {"shape": "" if right else "/", "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.6)"},
            },
            hovertemplate=f"margin %{{x}}: %{{y:,}} {name}<extra></extra>",
        )
    fig.update_layout(barmode="stack")
    fig.update_xaxes(title={"text": "total of the answered side minus the other's", "standoff": 12})
    chart(fig, key=key, height=_HEIGHT)
    exact = "" if found.exact else " Margins are rounded to whole numbers."
    st.caption(f"Green: right. Vermilion, hatched: wrong.{exact}")
    numbers([{"margin": p, "right": counts[True][p], "wrong": counts[False][p]} for p in places], key)


def _flaws(found: Analysis, key: str) -> None:
    rows = found.flaws()
    flawed = sum(group.n for group in found.groups if group.flaws)
    st.markdown(f"**Flaws in {percent(flawed / found.predictions if found.predictions else None)} of the texts**")
    if not rows:
        st.caption("None was found.")
        return
    fig = go.Figure(
        go.Bar(
            x=[count for _, count, _ in rows],
            y=[spaced(flaw) for flaw, _, _ in rows],
            orientation="h",
            width=0.6,
            marker={"color": WAITING},
            text=[
                f"{count:,}" + (f" · {percent(share.value, 0)} right" if share.n else "") for _, count, share in rows
            ],
            textposition="auto",
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(visible=False)
    chart(fig, key=key, height=24 + 36 * len(rows))
    numbers([{"flaw": spaced(f), "texts": n, "right": with_interval(s)} for f, n, s in rows], key)


def _row(name: str, share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {
        "": clean(name),
        "share": percent(share.value),
        "95 % from": percent(low),
        "to": percent(high),
        "count": share.count,
        "of": share.n,
    }
