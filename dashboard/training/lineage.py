"""From a checkpoint back: the sets, their runs, and who ruled."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.curation.sets import SetRow, list_sets
from backend.store.trainings import TrainingRow
from backend.workspace import Workspace
from dashboard.models import model_name
from dashboard.navigation import page_link
from dashboard.numbers import many
from dashboard.text import md

_NAMED = 6


def lineage(space: Workspace, row: TrainingRow) -> None:
    """Every row that was trained on, by set."""
    known = {one.id: one for one in list_sets(space.database)}
    st.caption("Checkpoint ← set ← run ← rulings. Each link leads to what the row was made of.")
    for ref in row.sets:
        with st.container(border=True):
            _set(space, ref, known.get(int(ref["id"])))


def _set(space: Workspace, ref: dict[str, Any], frozen: SetRow | None) -> None:
    name = f"{ref['name']}@{ref['version']}"
    content = str(ref["content_hash"])
    if frozen is None:
        st.markdown(f"Set **{md(name, 80)}**")
        st.caption("This set is not in the workspace any more.")
        return
    counts = frozen.counts
    kinds = [many(int(counts[kind]), kind) for kind in ("image", "video") if counts.get(kind)]
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.markdown(
        f"Set **{md(name, 80)}** · {many(int(counts.get('items', 0)), 'row')} ({', '.join(kinds)}), "
        f"{counts.get('first', 0):,} answer first, {counts.get('second', 0):,} second"
    )
    with right.container(horizontal=True, horizontal_alignment="right"):
        page_link("curate", "The set", set=name)
    changed = "" if frozen.content_hash == content else " (the set's own is another)"
    st.caption(f"content {md(content[:16])}{changed}")
    st.markdown(_decided(space, frozen))
    for run in frozen.lineage.get("runs", []):
        _run(run)


def _decided(space: Workspace, frozen: SetRow) -> str:
    counts = frozen.counts
    text = (
        f"{many(counts.get('by_filter', 0), 'row')} by the filter, {counts.get('by_accept', 0):,} by an "
        f"accepting ruling, {counts.get('by_relabel', 0):,} by a relabel"
    )
    people = space.trainings.rulings_behind(frozen.id, until=frozen.created_at)
    if not people:
        return f"{text}; nobody ruled on them."
    names = [f"{many(count, 'ruling')} by **{md(name, 40)}**" for name, count in people[:_NAMED]]
    if len(people) > _NAMED:
        names.append(f"others by {many(len(people) - _NAMED, 'person', 'people')}")
    return f"{text}; {', '.join(names)}."


def _run(run: dict[str, Any]) -> None:
    number = str(run["id"])
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.markdown(
        f"Run {number} of **{md(model_name(str(run['model'])), 60)}** on "
        f"**{md(run['dataset'], 60)}**, {many(int(run.get('reviews') or 0), 'ruling')} up to then"
    )
    with right.container(horizontal=True, horizontal_alignment="right"):
        page_link("runs", "The run", run=number)
        page_link("browse", "Its rulings", run=number, reviewed="yes")
