"""Frozen sets: the list, and one of them with its lineage, its exports and what changed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.curation.sets import SetRow
from backend.domain.operations import Operation
from backend.domain.pairs import MediaKind
from backend.export.exporter import ExportOptions
from backend.export.formats import FORMATS
from backend.store.tasks import TaskRow
from backend.workspace import Workspace
from dashboard import tasks
from dashboard.api.downloads import download_url
from dashboard.curate import exports
from dashboard.curate.rows import set_rows
from dashboard.navigation import page_link
from dashboard.numbers import ago, many
from dashboard.opening import open_in_review
from dashboard.option_fields import model_fields, model_wanted
from dashboard.page import errors_shown
from dashboard.roles import i_may
from dashboard.text import clean, md


def set_list(rows: list[SetRow]) -> None:
    """Every set, newest first."""
    for row in reversed(rows):
        with st.container(border=True):
            left, right = st.columns([5, 1], vertical_alignment="center")
            left.markdown(f"**{md(row.name)}** version {row.version}")
            left.caption(f"{_holds(row)} · {ago(row.created_at)}")
            if right.button("Open", key=f"set_{row.id}", width="stretch"):
                st.query_params.from_dict({"set": f"{row.name}@{row.version}"})
                st.rerun()


def open_set(task: TaskRow) -> None:
    """Open the set that was just frozen."""
    st.query_params.from_dict({"set": str((task.result or {}).get("set", ""))})
    st.rerun()


def one_set(space: Workspace, row: SetRow, rows: list[SetRow]) -> None:
    """One frozen set."""
    if st.button("All sets", icon=":material/arrow_back:", type="tertiary"):
        st.query_params.clear()
        st.rerun()
    st.subheader(f"{md(row.name)} version {row.version}", anchor=False)
    st.caption(f"{_holds(row)} · frozen {ago(row.created_at)} · content `{(row.content_hash or '')[:16]}`")
    page_link("training", "Train on this set", new="1", set=f"{row.name}@{row.version}")
    left, right = st.columns(2, gap="large")
    with left, errors_shown():
        st.markdown("**Export**")
        _export_form(space, row)
        _exports(space, row)
    with right, errors_shown():
        st.markdown("**Where it comes from**")
        _lineage(row)
        st.markdown("**What changed**")
        _difference(space, row, rows)
    st.markdown("**Its rows**")
    with errors_shown():
        set_rows(space, row)


def _holds(row: SetRow) -> str:
    counts = row.counts
    parts = [many(int(counts.get("items", 0)), "row")]
    parts += [many(int(counts[kind]), kind) for kind in ("image", "video") if counts.get(kind)]
    parts.append(f"{counts.get('first', 0):,} first, {counts.get('second', 0):,} second")
    if counts.get("left_out"):
        parts.append(f"{counts['left_out']:,} left out for balance")
    return " · ".join(parts)


def _export_form(space: Workspace, row: SetRow) -> None:
    if not i_may(Operation.EXPORT):
        st.caption("Operators export sets.")
        return
    kinds = {kind for kind in MediaKind if row.counts.get(kind.value)}
    formats = {one.name: one for one in FORMATS.usable if kinds <= set(one.kinds)}
    format = formats[st.selectbox("Format", list(formats), format_func=lambda f: formats[f].label, key="export_format")]
    st.caption(md(format.purpose))
    own = f"export_{format.name}_"
    model_fields(ExportOptions, "export_")
    model_fields(format.options, own)
    if st.button("Export", type="primary"):
        chosen = model_wanted(ExportOptions, "export_", "the export's")
        exports.start(space, row, format.name, chosen, model_wanted(format.options, own, f"{format.name}'s"))


def _exports(space: Workspace, row: SetRow) -> None:
    tasks.watch(space, Operation.EXPORT)
    for folder, manifest in exports.finished(space, row):
        with st.container(border=True):
            st.markdown(
                f"**{md(manifest['format'])}** · {many(int(manifest['rows']), 'row')} · "
                f"{ago(float(manifest['created_at']))}"
            )
            st.code(str(folder), language=None)
            # An export of an older version has no notes, but may say what is missing.
            for line in manifest.get("notes") or [manifest.get("missing_media")]:
                if line:
                    st.warning(md(str(line)))
            st.link_button("Download as zip", download_url(folder), icon=":material/download:")


def _lineage(row: SetRow) -> None:
    for run in row.lineage.get("runs", []):
        number = str(run["id"])
        with st.container(border=True):
            st.markdown(
                f"Run {number} of **{md(run['model'].rsplit('/', 1)[-1], 60)}** on **{md(run['dataset'], 60)}**  \n"
                f"policy *{md(str(run['policy'].get('name', 'custom')), 60)}*, "
                f"{many(int(run.get('reviews') or 0), 'ruling')} in force then"
            )
            with st.container(horizontal=True):
                page_link("runs", "The run", run=number)
                page_link("browse", "Its rulings", run=number, reviewed="yes")
                page_link("datasets", "The dataset", name=run["dataset"])
    if balance := row.lineage.get("balance"):
        st.caption(f"Balanced by {md(balance['by'])}, seed {balance['seed']}.")
    counts = row.counts
    st.caption(
        f"{many(counts.get('by_filter', 0), 'row')} by the filter, {counts.get('by_accept', 0):,} by an "
        f"accepting ruling, {counts.get('by_relabel', 0):,} by a relabel."
    )


def _difference(space: Workspace, row: SetRow, rows: list[SetRow]) -> None:
    others = {other.id: other for other in rows if other.id != row.id}
    if not others:
        st.caption("There is no other set to compare with.")
        return
    earlier = [one.id for one in others.values() if one.name == row.name and one.version < row.version]
    options = list(others)
    chosen = st.selectbox(
        "Compared with",
        options,
        index=options.index(earlier[-1]) if earlier else 0,
        format_func=lambda i: f"{clean(others[i].name)} version {others[i].version}",
        key=f"diff_{row.id}",
    )
    reading = space.previews
    found = reading.difference(chosen, row.id)
    st.markdown(
        f"{many(found['shared'], 'row')} in both, **{found['added']:,} added**, "
        f"**{found['removed']:,} removed**, {found['relabelled']:,} under another label"
    )
    for word, one, other in (("Added", row.id, chosen), ("Removed", chosen, row.id)):
        changed: list[Any] = reading.only_in(one, other)
        if changed and st.button(f"Look at those {word.lower()}", key=f"look_{word}_{row.id}"):
            open_in_review([item.prediction_id for item in changed], f"{word} in {row.name}@{row.version}")
