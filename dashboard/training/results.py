"""What evaluations came to, beside the model before training on the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from backend.domain.jobs import OPEN
from backend.domain.pairs import OrderPolicy
from backend.inference.analysis import Share
from backend.inference.launch import default_order
from backend.inference.progress import run_counts
from backend.store.runs import RunRow
from backend.training.view import View
from backend.workspace import Workspace
from dashboard.navigation import page_link
from dashboard.numbers import percent, with_interval
from dashboard.text import clean, md
from dashboard.theme import FIRST, WAITING, chart
from dashboard.training.checkpoints import checkpoint_name


@dataclass(frozen=True, slots=True)
class Conditions:
    """What two runs have in common that can be held against each other.

    Attributes:
        order: ``None`` is what is usual for the ``source``.
        limit: Of pairs; ``None`` for all.
    """

    dataset: str
    order: OrderPolicy | None
    limit: int | None
    source: str = ""

    def hold_for(self, run: RunRow) -> bool:
        """Whether a run judged under these conditions."""
        order = self.order or default_order(self.source)
        return (
            run.dataset == self.dataset and run.spec.get("limit") == self.limit and run.spec.get("order") == order.value
        )


def base_run(space: Workspace, view: View, wanted: Conditions) -> RunRow | None:
    """The newest run of the model before training under the same conditions."""
    return _newest(space.runs.list(), view, wanted)


def _newest(runs: Sequence[RunRow], view: View, wanted: Conditions) -> RunRow | None:
    kept = {"failed", "cancelled", "interrupted"}
    found = [run for run in runs if run.model == view.spec.model and wanted.hold_for(run) and run.status not in kept]
    return found[-1] if found else None


def _beside(runs: Sequence[RunRow], view: View, run: RunRow) -> RunRow | None:
    """The model before training on what an evaluation judged, under other conditions at worst."""
    order = OrderPolicy(str(run.spec.get("order")))
    wanted = Conditions(run.dataset, order, run.spec.get("limit"))
    exact = _newest(runs, view, wanted)
    others = [r for r in runs if r.model == view.spec.model and r.dataset == run.dataset]
    return exact or (others[-1] if others else None)


def evaluation_list(space: Workspace, view: View) -> None:
    """Every evaluation, newest first; and a picture once there is something to compare."""
    every = space.runs.list()
    by_id = {run.id: run for run in every}
    shown = [(one, by_id[one.run_id]) for one in view.evaluations if one.run_id in by_id]
    if not shown:
        st.caption("Not measured yet: Evaluate has a checkpoint judge a dataset.")
        return
    names = {str(one.path): checkpoint_name(one) for one in view.checkpoints}
    _picture(space, view, [(names.get(one.checkpoint), run) for one, run in shown], every)
    for one, run in reversed(shown):
        name = names.get(one.checkpoint) or Path(one.checkpoint).name
        with st.container(border=True):
            _evaluation(space, name, run, _beside(every, view, run))


def _evaluation(space: Workspace, name: str, run: RunRow, before: RunRow | None) -> None:
    st.markdown(f"**{md(name, 60)}** on **{md(run.dataset, 60)}**: {_said(space, run)}")
    if before is not None:
        same = run.spec.get("limit") == before.spec.get("limit") and (run.spec.get("order") == before.spec.get("order"))
        other = "" if same else "; it judged with another order or another number of pairs"
        st.caption(f"Before training: {_said(space, before)} (run {before.id}{other})")
    with st.container(horizontal=True, gap="small"):
        page_link("runs", f"Open run {run.id}", run=str(run.id))
        if before is not None:
            page_link("compare", "Compare both", a=str(before.id), b=str(run.id))


def _said(space: Workspace, run: RunRow) -> str:
    counts = run_counts(space.runs.counts(run.id), run.policy)
    if run.status in OPEN:
        waits = " (waits until its device is free)" if run.status == "queued" else ""
        return f"{run.status}{waits}, {counts.done:,} of {counts.total:,}"
    if run.status != "finished":
        return f"{run.status}{f': {md(run.error)}' if run.error else ''}"
    if counts.accuracy is None or not counts.accuracy.n:
        return "no answer could be read" if counts.done else "nothing judged"
    unreadable = f", {counts.unreadable:,} unreadable" if counts.unreadable else ""
    return f"{with_interval(counts.accuracy)} right of {counts.accuracy.n:,}{unreadable}"


def _picture(space: Workspace, view: View, shown: Sequence[tuple[str | None, RunRow]], every: Sequence[RunRow]) -> None:
    """Accuracy before and after, on the dataset of the newest evaluation that has one."""
    done = [(name or "deleted", run, share) for name, run in shown if (share := _share(space, run))]
    if not done:
        return
    dataset = done[-1][1].dataset
    lines = [(f"{name} · run {run.id}", share, FIRST) for name, run, share in done if run.dataset == dataset]
    before = _beside(every, view, done[-1][1])
    share = _share(space, before) if before is not None else None
    if before is not None and share is not None:
        lines.insert(0, (f"before · run {before.id}", share, WAITING))
    fig = go.Figure()
    for word, share, colour in lines:
        low, high = share.interval
        value = 100 * (share.value or 0)
        fig.add_scatter(
            x=[value],
            y=[word],
            mode="markers+text",
            marker={"size": 10, "color": colour, "symbol": "circle" if colour == FIRST else "diamond"},
            text=[percent(share.value)],
            textposition="top center",
            cliponaxis=False,
            error_x={
                "type": "data",
                "array": [100 * high - value],
                "arrayminus": [value - 100 * low],
                "color": colour,
                "thickness": 2,
            },
            hovertemplate=f"{with_interval(share)} of {share.n:,}<extra></extra>",
        )
    ticks = [0, 25, 50, 75, 100]
    fig.update_xaxes(range=[-2, 104], tickvals=ticks, ticktext=[f"{tick} %" for tick in ticks])
    fig.update_yaxes(range=[len(lines) - 0.6, -0.75], showgrid=False)
    st.markdown(f"Accuracy on {md(clean(dataset, 60))} of the answers that could be read, with 95 % interval")
    chart(fig, key=f"measured_{view.row.id}", height=56 + 44 * len(lines))


def _share(space: Workspace, run: RunRow) -> Share | None:
    if run.status in OPEN:
        return None
    share = run_counts(space.runs.counts(run.id), run.policy).accuracy
    return share if share and share.n else None


def still_measuring(space: Workspace, view: View) -> bool:
    """Whether an evaluation, or the run beside it, is under way."""
    ids = {one.run_id for one in view.evaluations}
    datasets = {one.dataset for one in view.evaluations}
    return any(
        run.status in OPEN and (run.id in ids or (run.model == view.spec.model and run.dataset in datasets))
        for run in space.runs.list()
    )


def newest_result(space: Workspace, runs: Sequence[RunRow]) -> str | None:
    """Accuracy of the newest of some evaluations that has one, for a card."""
    for run in reversed(runs):
        share = _share(space, run)
        if share is not None:
            return f"{with_interval(share)} on {clean(run.dataset, 24)}"
    return None
