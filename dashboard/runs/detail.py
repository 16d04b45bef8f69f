"""One run: its card, what can be done with it, and its tabs."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import streamlit as st

from backend.domain.jobs import OPEN, RESUMABLE, JobStatus
from backend.domain.operations import Operation
from backend.domain.pairs import MediaKind
from backend.engines.models import pixel_limit
from backend.inference.analysis import Analysis, analyse
from backend.inference.progress import run_counts
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.background import ready
from dashboard.empty import empty
from dashboard.hints import plain
from dashboard.navigation import page_link
from dashboard.numbers import many, percent
from dashboard.page import errors_shown, fragment, show_problem
from dashboard.roles import i_may
from dashboard.runs.card import draw_card
from dashboard.runs.charts import analysis_charts
from dashboard.runs.log import draw_log
from dashboard.runs.whatif import what_if_panel
from dashboard.tables import table
from dashboard.text import MAX_SHOWN, clean, md, visible
from dashboard.theme import REJECTED, chart
from dashboard.urls import follow, number_in_url, write
from dashboard.words import reason

TABS = ("summary", "analysis", "policy", "log", "settings")
_FAILURES = 50
_BEFORE: dict[str, str] = {
    JobStatus.QUEUED: "Waits until its device is free.",
    JobStatus.STARTING: "Its process is starting.",
}
"""What there is to say before a run runs."""


def run_detail(space: Workspace, run: RunRow) -> None:
    """Draw a run. What it shows is in the URL: ``run`` and ``tab``."""
    going = run.status in OPEN
    with st.container(border=True):
        live_card(space, run)
        _actions(space, run, going)
    if run.error:
        show_problem(run.error, run.hint)
    if run.read_by_older and not going:
        st.info("An older Winnow read this run's texts. The tab *policy* shows what reading them again changes.")
    follow("tab", TABS, "summary")
    tab = st.segmented_control(
        "Show", TABS, required=True, key="tab", on_change=write("tab"), label_visibility="collapsed"
    )
    with errors_shown():
        match tab:
            case "analysis":
                _analysis(space, run, going)
            case "policy":
                _policy(space, run, going)
            case "log":
                _log(run, going)
            case "settings":
                _settings(run)
            case _:
                _live_summary(space, run, going)


def live_card(space: Workspace, run: RunRow) -> None:
    """The card; as long as the run goes, it renews itself, and only it."""
    if run.status not in OPEN:
        draw_card(space, run)
        return

    @fragment(run_every=1.0)
    def live() -> None:
        with errors_shown():
            now = space.runs.get(run.id)
            draw_card(space, now)
        if now.status != run.status:
            st.rerun()  # the rest of the page speaks of it too
        space.supervise()

    live()


def _actions(space: Workspace, run: RunRow, going: bool) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"), errors_shown():
        if going and i_may(Operation.CANCEL_RUN) and st.button("Cancel", key="cancel_run"):
            space.launcher.cancel(run.id)
            space.supervise()
            st.rerun()
        resumable = run.job_id is not None and run.status in RESUMABLE
        counts = run_counts(space.runs.counts(run.id), run.policy) if resumable else None
        left = counts.total - counts.done if counts and i_may(Operation.RESUME_RUN) else 0
        about = f"{left:,} are left, failed ones included"
        if left > 0 and st.button("Resume", key="resume_run", help=about):
            space.launcher.resume(run.id)
            space.supervise()
            st.rerun()
        again = run.job_id is not None and i_may(Operation.START_RUN)
        if again and st.button("Run again with changes", key="again_run"):
            st.query_params.from_dict({"new": "1", "from": str(run.id)})
            st.rerun()
        page_link("browse", "Browse its predictions", run=str(run.id))
        page_link("compare", "Compare with another run", b=str(run.id))
        if words := _BEFORE.get(run.status):
            st.caption(words)


def _live_summary(space: Workspace, run: RunRow, going: bool) -> None:
    @fragment(run_every=2.0 if going else None)
    def summary() -> None:
        with errors_shown():
            _summary(space, run)

    summary()


def _summary(space: Workspace, run: RunRow) -> None:
    counts = run_counts(space.runs.counts(run.id), run.policy)
    if not counts.done and not counts.failed:
        if run.status == JobStatus.RUNNING and run.job_id is not None:
            empty(
                "The model is being loaded",
                "That takes seconds to minutes; the log tells how far it "
                "is. What becomes of the first predictions is counted here.",
            )
        else:
            empty("Nothing yet", "Predictions are counted here as soon as the first are stored.")
        return
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        st.markdown(f"**Why {many(counts.rejected, 'prediction')} of {counts.done:,} are rejected**")
        _reasons(run.id, dict(counts.reasons))
        overruled = counts.effective - counts.accepted
        if overruled:
            st.caption(f"Rulings by people change what counts as accepted by {overruled:+,}.")
    with right, st.container(border=True):
        st.markdown(f"**{many(counts.failed, 'prediction')} failed**")
        if counts.failed:
            _failures_list(space, run.id)
        else:
            st.caption("Every pair that was reached could be judged.")


def _reasons(run_id: int, reasons: dict[str, int]) -> None:
    if not reasons:
        st.caption("None is.")
        return
    rows = sorted(reasons.items(), key=lambda row: -row[1])
    total = sum(reasons.values())
    fig = go.Figure(
        go.Bar(
            x=[n for _, n in rows],
            y=[reason(name) for name, _ in rows],
            orientation="h",
            marker={
                "color": REJECTED,
                "pattern": {
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255,255,255,0.4)",
                    "shape": ["/" if name == "unreadable" else "" for name, _ in rows],
                },
            },
            text=[f"{n:,} · {percent(n / total, 0)}" for _, n in rows],
            textposition="auto",
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    fig.update_xaxes(visible=False)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    chart(fig, key=f"reasons_{run_id}", height=32 + 36 * len(rows))


def _failures_list(space: Workspace, run_id: int) -> None:
    after = number_in_url("failed") or 0
    rows = space.failures.page(run_id, after=after, limit=_FAILURES + 1)
    table(
        [
            {
                "pair": row.idx,
                "order": row.order,
                "sample": row.sample,
                "tries": row.attempts,
                "error": clean(row.error, 500),
                "hint": clean(plain(row.hint), 300),
            }
            for row in rows[:_FAILURES]
        ],
        hide_index=True,
        width="stretch",
        height=320,
        key=f"failures_{run_id}",
    )
    with st.container(horizontal=True):
        if after and st.button("From the first", key="failed_first"):
            st.query_params.pop("failed", None)
            st.rerun()
        if len(rows) > _FAILURES and st.button("More", key="failed_more"):
            st.query_params["failed"] = str(rows[_FAILURES - 1].failure_id)
            st.rerun()


def analysis_of(space: Workspace, run: RunRow) -> Analysis | None:
    """A run's sums, or ``None`` while they are being made."""
    going = run.status in OPEN
    count = space.runs.prediction_count(run.id)
    return ready(
        (
            "analysis",
            str(space.folder),
            run.id,
            count,
            json.dumps(run.policy, sort_keys=True),
            run.progress.get("decided"),
        ),
        lambda: analyse(space.database, space.folder, run, keep=not going and not space.read_only),
        words=f"Adding up {count:,} predictions",
        height=480,
    )


def _analysis(space: Workspace, run: RunRow, going: bool) -> None:
    found = analysis_of(space, run)
    if found is None:
        return
    if not found.predictions:
        empty("Nothing to analyse yet", "The first predictions are not there yet.")
        return
    if going:
        st.caption(f"Of the {found.predictions:,} predictions so far; reload for more.")
    analysis_charts(found, run.id)


def _policy(space: Workspace, run: RunRow, going: bool) -> None:
    if going:
        empty("Later", "Another policy can be tried on a run that has ended.")
        return
    found = analysis_of(space, run)
    if found is not None:
        what_if_panel(space, run, found)


def _log(run: RunRow, going: bool) -> None:
    if not going:
        draw_log(run)
        return

    @fragment(run_every=2.0)
    def tail() -> None:
        draw_log(run)

    tail()


def _settings(run: RunRow) -> None:
    left, right = st.columns(2, gap="medium")
    options = dict(run.spec.get("options", {}))
    if "max_pixels" in options and options["max_pixels"] is None:
        options["max_pixels"] = _processors_own(run.model)
    plain = {name: value for name, value in run.spec.items() if name not in ("options", "instruction")}
    with left:
        st.markdown("**What was asked**")
        table(_rows({**plain, **options}), hide_index=True, width="stretch", height="content")
    with right:
        st.markdown("**Policy in force**")
        table(_rows(run.policy), hide_index=True, width="stretch", height="content")
        st.markdown("**Instruction**")
        kinds = {str(kind): str(text) for kind, text in run.spec.get("instruction", {}).items()}
        for text in dict.fromkeys(kinds.values()):
            names = ", ".join(f"{kind}s" for kind, one in kinds.items() if one == text)
            with st.expander(f"For {md(names)}"):
                st.code(clean_lines(text), language=None, wrap_lines=True)


def clean_lines(text: str) -> str:
    """A text of several lines that somebody wrote, for display."""
    return visible(text[:MAX_SHOWN])


def _processors_own(model: str) -> str:
    """What a run showed before it kept a number of pixels."""
    limits = {pixel_limit(model, kind) for kind in MediaKind} - {None}
    known = f" ({limits.pop():,})" if len(limits) == 1 else ""
    return f"as many as the model's processor allows{known}"


def _rows(values: dict[str, object]) -> list[dict[str, str]]:
    return [
        {"option": clean(name), "value": "–" if value in (None, [], "") else clean(_word(value))}
        for name, value in values.items()
    ]


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
