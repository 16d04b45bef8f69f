"""The integrity report: counts, and every issue with its file and row."""

from __future__ import annotations

from html import escape

import streamlit as st

from backend.store.datasets import DatasetRow
from backend.store.gallery import Gallery
from backend.workspace import Workspace
from dashboard.numbers import ago
from dashboard.tables import table
from dashboard.text import clean
from dashboard.urls import follow, number_in_url, write
from dashboard.words import ISSUES

COUNTS = {
    "rows": "rows read",
    "pairs": "pairs",
    "judgeable": "can be judged",
    "ties": "recorded ties",
    "duplicates": ISSUES["duplicate"],
    "conflicts": ISSUES["conflict"],
    "missing": ISSUES["missing"],
    "unreadable": ISSUES["unreadable"],
    "broken": "broken rows",
}
_ISSUES = 100
_STYLE = """<style>
.wn-counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(88px, 1fr)); gap: 8px;
  font-variant-numeric: tabular-nums; }
.wn-counts > div { border: 1px solid rgba(138, 144, 150, 0.4); border-radius: 4px; padding: 6px 8px; min-width: 0; }
.wn-counts b { display: block; font-size: 1.125rem; font-weight: 600; }
.wn-counts span { display: block; font-size: 0.75rem; line-height: 1.3; opacity: 0.75; }
.wn-counts .wn-none b { font-weight: 400; opacity: 0.75; }
.wn-where { font-size: 0.8125rem; opacity: 0.75; overflow-wrap: anywhere; unicode-bidi: isolate; }
</style>"""


def facts(dataset: DatasetRow) -> None:
    """What a dataset is, and the report's counts."""
    counts = dataset.counts
    if dataset.unusable:
        counts = {**counts, "judgeable": dataset.judgeable}
    cells = "".join(
        f'<div class="{"" if counts.get(name) else "wn-none"}"><b>{counts.get(name, 0):,}</b><span>{words}</span></div>'
        for name, words in COUNTS.items()
        if name in counts or name != "judgeable"
    )
    st.html(f'{_STYLE}<div class="wn-counts">{cells}</div>')
    known = f" · fingerprint {dataset.fingerprint[:12]}" if dataset.fingerprint else ""
    links = f", links to {', '.join(dataset.links_to)} allowed" if dataset.links_to else ""
    line = (
        f"{dataset.spec} · media in {dataset.data_root}{links} · {dataset.status}, "
        f"added {ago(dataset.created_at)}{known}"
    )
    st.html(f'<div class="wn-where">{escape(clean(line, 1_000))}</div>')


def issues(space: Workspace, dataset: DatasetRow) -> None:
    """Issues by code, in pages."""
    follow("code", ("all", *ISSUES), "all")
    code = st.selectbox(
        "Kind",
        ("all", *ISSUES),
        key="code",
        width=240,
        format_func=lambda one: "every kind" if one == "all" else ISSUES[one],
        on_change=write("code", "issue"),
    )
    after = number_in_url("issue") or 0
    rows = Gallery(space.database, dataset.id).issues(None if code == "all" else code, after=after, limit=_ISSUES + 1)
    if not rows:
        st.caption("Nothing was found wrong." if not after else "That was the last one.")
    else:
        table(
            [
                {
                    "kind": ISSUES.get(row.code, row.code),
                    "row": row.row,
                    "message": clean(row.message, 500),
                    "file": clean(row.file, 500),
                }
                for row in rows[:_ISSUES]
            ],
            hide_index=True,
            width="stretch",
            height=min(36 * (len(rows) + 1), 560),
            column_config={
                "kind": st.column_config.TextColumn(width="small"),
                "row": st.column_config.NumberColumn(width="small"),
                "message": st.column_config.TextColumn(width="large"),
            },
        )
    with st.container(horizontal=True):
        if after and st.button("From the first", key="issues_first"):
            st.query_params.pop("issue", None)
            st.rerun()
        if len(rows) > _ISSUES and st.button("More", key="issues_more"):
            st.query_params["issue"] = str(rows[_ISSUES - 1].issue_id)
            st.rerun()
