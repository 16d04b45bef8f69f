"""Another policy, seen before it is applied."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from backend.domain.filtering import Policy
from backend.domain.operations import Operation
from backend.domain.reading import Flaw, flaws_of
from backend.inference.analysis import Analysis
from backend.inference.reparsing import Preview
from backend.inference.whatif import WhatIf, what_if
from backend.store.runs import RunRow
from backend.workspace import Workspace
from dashboard.background import ready
from dashboard.numbers import many, percent
from dashboard.page import errors_shown
from dashboard.roles import i_may
from dashboard.runs.policy import load_policy_state, policy_fields, policy_state, untagged_words
from dashboard.tables import table
from dashboard.theme import ACCEPTED, REJECTED, WAITING, chart
from dashboard.words import reason

_DONE = "whatif_done"


def what_if_panel(space: Workspace, run: RunRow, found: Analysis) -> None:
    """Choose a policy, see what it would accept, apply it."""
    key = f"whatif_{run.id}"
    if f"{key}_name" not in st.session_state:
        with errors_shown():  # a rule's package may be gone; another policy can be chosen all the same
            load_policy_state(key, Policy.from_mapping(run.policy))
    left, right = st.columns([2, 3], gap="large")
    with left, errors_shown():
        st.markdown("**What if the policy were**")
        policy_fields(key)
    with right, errors_shown():
        policy = policy_state(key)
        seen = ready(
            (
                "whatif",
                run.id,
                found.predictions,
                str(run.policy),
                str(policy.to_mapping()),
                run.progress.get("decided"),
            ),
            lambda: what_if(space.database, run.id, policy, found),
            words="Deciding every pair under this policy",
        )
        if seen is not None:
            _seen(seen, run)
            _untagged(policy, found)
            _apply(space, run, policy)


def _seen(seen: WhatIf, run: RunRow) -> None:
    change = seen.after - seen.before
    st.markdown(
        f"**{seen.after:,} of {seen.predictions:,} would be accepted** "
        f"({percent(seen.after / seen.predictions if seen.predictions else None)}), "
        f"{f'{change:+,}' if change else 'as many as'} {'against' if change else ''} now"
    )
    fig = go.Figure()
    for name, count in (("now", seen.before), ("then", seen.after)):
        for word, n, colour in (("accepted", count, ACCEPTED), ("rejected", seen.predictions - count, REJECTED)):
            fig.add_bar(
                y=[name],
                x=[n],
                orientation="h",
                marker={"color": colour},
                text=[f"{n:,} {word}"],
                textposition="inside",
                insidetextanchor="start",
                hovertemplate=f"{n:,} {word}<extra></extra>",
            )
    fig.update_layout(barmode="stack")
    fig.update_xaxes(visible=False)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    chart(fig, key=f"whatif_chart_{run.id}", height=104)
    st.caption(
        f"{seen.gained:,} more come in, {seen.lost:,} fall out. Of what would be accepted, "
        f"{percent(seen.first / seen.after if seen.after else None, 0)} name the first shown. "
        "Rulings by people stand whatever the policy says."
    )
    fig = go.Figure(
        go.Bar(
            y=[reason(name) for name in seen.reasons],
            x=list(seen.reasons.values()),
            orientation="h",
            marker={"color": WAITING},
            text=[f"{n:,}" for n in seen.reasons.values()],
            textposition="auto",
            hovertemplate="%{y}: %{x:,}<extra></extra>",
        )
    )
    if seen.reasons:
        st.markdown("**Rejected then, by reason**")
        fig.update_xaxes(visible=False)
        fig.update_yaxes(autorange="reversed", showgrid=False, categoryorder="total descending")
        chart(fig, key=f"whatif_reasons_{run.id}", height=48 + 32 * len(seen.reasons))


def _untagged(policy: Policy, found: Analysis) -> None:
    """How many answers stand outside of the answer tag, and which of them this policy takes."""
    counts = [0, 0]
    for group in found.groups:
        flaws = flaws_of(group.flaws)
        if Flaw.UNTAGGED_ANSWER in flaws:
            counts[Flaw.QUALIFIED_ANSWER in flaws] += group.n
    if sum(counts):
        st.caption(
            f"{sum(counts):,} answers stand outside of the answer tag, {counts[0]:,} of them as the "
            f"single statement of their text: {untagged_words(policy)}."
        )


def _apply(space: Workspace, run: RunRow, policy: Policy) -> None:
    if message := st.session_state.pop(_DONE, None):
        st.success(message)
    if not (i_may(Operation.DECIDE_ANEW) and i_may(Operation.PARSE_AGAIN)):
        return
    same = {**policy.to_mapping(), "name": ""} == {**run.policy, "name": ""}
    with st.container(horizontal=True, gap="small"):
        apply = st.button(
            "Apply to the run",
            type="primary",
            disabled=same,
            key=f"apply_{run.id}",
            help="This is the policy in force" if same else "Decides anew; nothing is judged again",
        )
        again = st.button(
            "Read its texts again",
            key=f"reparse_{run.id}",
            help="For a run that an older Winnow read: shows which answers change when its stored texts "
            "are read anew; the policy in force then decides, and rulings are kept",
        )
    if apply:
        with st.spinner("Deciding"):
            changed = space.launcher.refilter(run.id, policy)
        st.session_state[_DONE] = f"{many(changed, 'decision')} changed."
        st.rerun()
    if again:
        with st.spinner("Reading"):
            st.session_state[f"reread_{run.id}"] = space.launcher.preview_reparse(run.id)
    if preview := st.session_state.get(f"reread_{run.id}"):
        _read_again(space, run, preview)


def _read_again(space: Workspace, run: RunRow, preview: Preview) -> None:
    """What reading again changes, and the button that changes it."""
    st.markdown(
        f"**Read as this version reads, {many(preview.changed, 'verdict')} of {preview.read:,} would "
        f"change, {preview.answers.total():,} of them the answer.**"
    )
    if preview.answers:
        table(
            [
                {"Answer now": before or "none", "then": after or "none", "Texts": count}
                for (before, after), count in preview.answers.most_common()
            ],
            hide_index=True,
            width="content",
        )
    if st.button("Change them" if preview.changed else "Note it", key=f"reread_yes_{run.id}"):
        with st.spinner("Reading"):
            found = space.launcher.reparse(run.id)
        st.session_state.pop(f"reread_{run.id}", None)
        st.session_state[_DONE] = f"{many(found.changed, 'verdict')} changed, {found.answers:,} of them the answer."
        st.rerun()
