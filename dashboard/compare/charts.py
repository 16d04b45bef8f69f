"""Two runs side by side: who is right, and who flipped which way."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from backend.inference.analysis import Analysis
from backend.inference.compare import Comparison
from backend.store.runs import RunRow
from dashboard.charts import numbers, shares
from dashboard.labels import ink
from dashboard.numbers import many, percent, with_interval
from dashboard.theme import ACCEPTED, REJECTED, RUN_A, RUN_B, chart

WORDS = {"both_right": "both right", "only_a": "only A right", "only_b": "only B right", "both_wrong": "both wrong"}
_COLOURS = {"both_right": ACCEPTED, "only_a": RUN_A, "only_b": RUN_B, "both_wrong": REJECTED}
_SAYS = ("first", "second", "tie", "none")
_SAID = {"first": "first", "second": "second", "tie": "tie", "none": "unclear"}


def verdict(found: Comparison, a: RunRow, b: RunRow) -> str:
    """What the comparison amounts to, in one sentence.

    Who is asked more often about a pair is more often of two minds, and so not right: then the
    difference is one of asking too, and nobody is called better.
    """
    only_a, only_b = found.outcomes["only_a"], found.outcomes["only_b"]
    p = found.p_value
    said = "below 0.0001" if p < 0.0001 else f"{p:.2g}"
    if p >= 0.05:
        return (
            f"**No difference that could not be chance**: alone right are A {only_a:,} times and "
            f"B {only_b:,} times (McNemar's exact test, p = {said})"
        )
    better = "A" if only_a > only_b else "B"
    asked = _asked(a), _asked(b)
    finding = f"**{better} is better**"
    if all(asked) and asked[0] != asked[1]:
        finding = (
            f"**{better} is right more often, but they were not asked alike** (A gave {asked[0]} a pair, B {asked[1]})"
        )
    return (
        f"{finding}: alone right are A {only_a:,} times and B {only_b:,} times "
        f"(McNemar's exact test, p {'' if p < 0.0001 else '= '}{said})"
    )


def _asked(run: RunRow) -> str:
    """In words; empty for a run that was imported, whose makers were asked elsewhere."""
    if "order" not in run.spec:
        return ""
    both = run.spec["order"] == "both"
    answers = int(run.spec.get("samples", 1) or 1) * (2 if both else 1)
    return many(answers, "answer") + (" in both orders" if both else "")


def outcomes(found: Comparison, a: RunRow, b: RunRow) -> None:
    """Both right, only one, both wrong: one bar."""
    st.markdown(verdict(found, a, b))
    fig = go.Figure()
    for name, count in found.outcomes.items():
        fig.add_bar(
            y=[""],
            x=[count],
            orientation="h",
            name=WORDS[name],
            marker={"color": _COLOURS[name]},
            text=[f"{WORDS[name]}<br>{count:,} · {percent(count / found.compared if found.compared else None, 0)}"],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            hovertemplate=f"{WORDS[name]}: {count:,}<extra></extra>",
        )
    fig.update_layout(barmode="stack")
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    chart(fig, key="compare_outcomes", height=88)
    left_out = found.common - found.compared
    ties = f" {many(left_out, 'pair')} with a recorded tie left out." if left_out else ""
    st.caption(
        f"{many(found.compared, 'pair')} judged by both.{ties} A run says of a pair what most of its "
        "predictions say; of two minds, or unreadable, is not right."
    )
    numbers([{"outcome": WORDS[name], "pairs": n} for name, n in found.outcomes.items()], "outcomes")


def accuracies(found: Comparison, a: RunRow, b: RunRow) -> None:
    """Accuracy of each with its interval."""
    st.markdown("**Accuracy on the common pairs**")
    rows = [(f"A · run {a.id}", found.accuracy_a, RUN_A), (f"B · run {b.id}", found.accuracy_b, RUN_B)]
    shares(rows, key="compare_accuracy", height=136)
    st.caption(f"A {with_interval(found.accuracy_a)}, B {with_interval(found.accuracy_b)}")


def consistency(a: RunRow, b: RunRow, of_a: Analysis, of_b: Analysis) -> None:
    """How steady each is when the order changes."""
    st.markdown("**Same winner in both orders**")
    rows = []
    for name, run, found, colour in (("A", a, of_a, RUN_A), ("B", b, of_b, RUN_B)):
        if found.flips.n:
            steady = type(found.flips)(found.flips.n - found.flips.count, found.flips.n)
            rows.append((f"{name} · run {run.id}", steady, colour))
        else:
            st.caption(f"{name}: no pair was judged in both orders.")
    if rows:
        shares(rows, key="compare_consistency", height=72 + 32 * len(rows))


def flips(found: Comparison) -> None:
    """What each says where they differ."""
    total = sum(found.flips.values())
    st.markdown(f"**They differ on {many(total, 'pair')}**, in dataset order")
    if not total:
        return
    says = [word for word in _SAYS if any(word in pair for pair in found.flips)]
    counts = [[found.flips.get((one, other), 0) for other in says] for one in says]
    most = max(max(row) for row in counts)
    fig = go.Figure(
        go.Heatmap(
            z=counts,
            x=[_SAID[word] for word in says],
            y=[_SAID[word] for word in says],
            text=[[f"{n:,}" if n else "" for n in row] for row in counts],
            texttemplate="%{text}",
            textfont={"color": ink()},
            hovertemplate="A: %{y}, B: %{x}: %{z:,}<extra></extra>",
            colorscale=[[0, "rgba(138,144,150,0.06)"], [1, "rgba(138,144,150,0.6)"]],
            zmin=0,
            zmax=most,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    fig.update_xaxes(showgrid=False, tickangle=0, title={"text": "B says", "standoff": 12})
    fig.update_yaxes(autorange="reversed", showgrid=False, title={"text": "A says", "standoff": 12})
    chart(fig, key="compare_flips", height=96 + 56 * len(says))
