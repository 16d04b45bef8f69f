"""Composing a set: runs, name, balance; and what it would hold, before it is frozen."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from backend.curation.balance import Balance
from backend.curation.preview import Preview, preview, untrainable_line
from backend.curation.sets import check_name
from backend.domain.jobs import OPEN
from backend.domain.operations import Operation
from backend.errors import ReviewError
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard import tasks
from dashboard.background import ready
from dashboard.labels import label
from dashboard.navigation import page_link
from dashboard.numbers import many, percent
from dashboard.page import errors_shown
from dashboard.roles import i_may
from dashboard.tables import table
from dashboard.text import clean, md
from dashboard.theme import FIRST, RUN_A, RUN_B, SECOND, WAITING, chart

_RUNS = "curate_runs"


def compose(space: Workspace, runs: list[RunRow]) -> None:
    """Draw the form and the preview."""
    names = {run.id: f"{run.id} · {clean(run.dataset, 24)} · {clean(run.model.rsplit('/', 1)[-1], 24)}" for run in runs}
    _from_url(names)
    left, right = st.columns([2, 3], gap="large")
    with left, errors_shown():
        chosen = st.multiselect(
            "Runs",
            list(names),
            format_func=names.__getitem__,
            key=_RUNS,
            placeholder="what they accepted goes into the set",
        )
        st.query_params["runs"] = ",".join(map(str, chosen))
        for run in runs:
            if run.id in chosen:
                policy = md(str(run.policy.get("name", "custom")), 40)
                going = f", {run.status}" if run.status in OPEN else ""
                st.caption(f"Run {run.id}: decided by the policy *{policy}*, and by rulings{going}.")
        if chosen:
            page_link("runs", "Try another policy", run=str(chosen[0]), tab="policy")
        name = st.text_input("Name", key="curate_name", max_chars=100, placeholder="grm-t2i").strip()
        named = not name or _can_be_called(name)
        even = st.toggle(
            "Balance by position",
            key="curate_balance",
            help="Leaves rows out, drawn by the seed, until “first” and “second” are "
            "answered equally often. A judge trained on more of one prefers a position.",
        )
        seed = st.number_input("Seed", value=0, step=1, key="curate_seed") if even else 0
    with right, errors_shown():
        balance = Balance(int(seed)) if even else None
        picked = [run for run in runs if run.id in chosen]
        seen = _previewed(space, picked, balance) if picked else None
        if seen is not None:
            _show(seen)
    with left, errors_shown():
        some = seen is not None and bool(seen.items)
        # The name does not switch it: a button that waits for a name to be sent misses the very
        # click that sends it.
        if not i_may(Operation.FREEZE):
            st.caption("Operators freeze sets.")
        elif st.button("Freeze", type="primary", disabled=not some) and named:
            if not name:
                raise ReviewError("the set has no name yet", hint="Name, above, says what to call it")
            space.refuse_going(chosen)
            arguments = {
                "name": name,
                "runs": chosen,
                "balance": balance.seed if balance else None,
                "total": seen.items if seen else None,
            }
            tasks.begin(space, Operation.FREEZE, name, arguments)
            st.rerun()


def _can_be_called(name: str) -> bool:
    with errors_shown():
        check_name(name)
        return True
    return False


def _from_url(names: dict[int, str]) -> None:
    if _RUNS not in st.session_state:
        wanted = st.query_params.get("runs", "").split(",")
        st.session_state[_RUNS] = [run for run in names if str(run) in wanted]
    st.session_state[_RUNS] = [run for run in st.session_state[_RUNS] if run in names]


def _previewed(space: Workspace, runs: list[RunRow], balance: Balance | None) -> Preview | None:
    newest = space.reviews.newest()
    # Whatever can change a row: a ruling, deciding or reading anew, a run that goes on.
    states = tuple(
        (run.id, str(run.policy), run.progress.get("decided"), newest.get(run.id), space.runs.counts(run.id)["done"])
        for run in runs
    )
    return ready(
        ("preview", str(space.folder), states, balance),
        lambda: preview(space.database, [run.id for run in runs], balance=balance),
        words="Adding up what these runs accepted",
    )


def _show(seen: Preview) -> None:
    if left_out := untrainable_line(seen.untrainable):
        st.caption(left_out)
    if seen.left_out:
        st.caption(f"Balancing leaves out {seen.left_out:,} of {seen.items + seen.left_out:,}.")
    if not seen.items:
        st.info(
            "All of them give the same answer: balanced, nothing is left."
            if seen.left_out
            else "These runs have accepted nothing that names a side."
        )
        return
    one, two, three = st.columns(3)
    # A help mark on one of them only would set its label lower than the others'.
    one.metric("Rows", f"{seen.items:,}", help="judgments that a version frozen now would hold")
    two.metric("Pairs", f"{seen.captions[1]:,}", help=f"of {seen.captions[0]:,} that were judged")
    three.metric("By a ruling", f"{seen.by_ruling:,}", help="accepted or relabelled by a person")
    first, second = seen.answers.get("first", 0), seen.answers.get("second", 0)
    _bar("Answers", [("first", first, FIRST), ("second", second, SECOND)], "curate_answers")
    if len(seen.kinds) > 1:
        kinds = [
            (f"{kind}s", count, colour)
            for (kind, count), colour in zip(sorted(seen.kinds.items()), (RUN_A, RUN_B), strict=True)
        ]
        _bar("Media", kinds, "curate_kinds")
    if seen.lead:
        fig = go.Figure(
            go.Bar(
                y=[label(name, 40) for name in seen.lead],
                x=list(seen.lead.values()),
                orientation="h",
                marker={"color": WAITING},
                text=[f"{lead:+.1f}" for lead in seen.lead.values()],
                hovertemplate="%{y}: %{x:+.2f}<extra></extra>",
            )
        )
        st.markdown("**By how much the answered side leads, by dimension**")
        fig.update_xaxes(visible=False)
        fig.update_yaxes(autorange="reversed", showgrid=False)
        chart(fig, key="curate_lead", height=48 + 30 * len(seen.lead))
    if seen.winners:
        st.markdown("**Generators named better, in all answers and in this set**")
        total_before = sum(share.before for share in seen.winners)
        total_after = sum(share.after for share in seen.winners)
        table(
            [
                {
                    "generator": clean(share.name, 60),
                    "all answers": percent(share.before / total_before if total_before else None),
                    "this set": percent(share.after / total_after if total_after else None),
                }
                for share in seen.winners
            ],
            hide_index=True,
            height="content",
        )
    st.caption(
        f"Captions have {seen.caption_length[0]:.0f} characters on average, those of this set "
        f"{seen.caption_length[1]:.0f}. Dimensions, generators and captions are from a sample of "
        f"{many(seen.sampled, 'prediction')}."
    )


def _bar(title: str, parts: list[tuple[str, int, str]], key: str) -> None:
    total = sum(count for _, count, _ in parts)
    fig = go.Figure()
    for name, count, colour in parts:
        fig.add_bar(
            y=[""],
            x=[count],
            orientation="h",
            marker={"color": colour},
            text=[f"{name} {count:,} ({percent(count / total if total else None, 0)})"],
            textposition="inside",
            insidetextanchor="start",
            hovertemplate=f"{name}: {count:,}<extra></extra>",
        )
    fig.update_layout(barmode="stack")
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    st.markdown(f"**{title}**")
    chart(fig, key=key, height=56)
