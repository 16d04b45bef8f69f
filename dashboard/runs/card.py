"""A run as a card: a bar of what became of its predictions, and the numbers beside it."""

from __future__ import annotations

from html import escape

import streamlit as st

from backend.inference.progress import RunCounts, run_counts
from backend.store.runs import NOTICE, RunRow
from backend.workspace import Workspace
from dashboard.job_cards import STATE
from dashboard.models import model_name
from dashboard.numbers import ago, compact, lasting, percent, with_interval
from dashboard.text import clean


def run_name(run: RunRow) -> str:
    """One line for a choice."""
    return f"{run.id} · {model_name(run.model, 40)} · {clean(run.dataset, 40)} · {run.engine}"


def draw_card(space: Workspace, run: RunRow) -> None:
    """Draw a run with its counts now."""
    counts = run_counts(space.runs.counts(run.id), run.policy)
    st.html(card_html(run, counts))


def card_html(run: RunRow, counts: RunCounts) -> str:
    """The card; every text in it is escaped."""
    order = escape(str(run.spec.get("order", "")))
    samples = int(run.spec.get("samples", 1) or 1)
    asked = ("both orders" if order == "both" else f"{order} order") + (f", {samples} samples" if samples > 1 else "")
    facts = [escape(clean(run.dataset, 60)), escape(run.engine), asked, ago(run.created_at)]
    return f"""
    <div class="wn-run wn-{escape(run.status)}">
      <div class="wn-head">
        <b>{run.id}</b><span class="wn-model" title="{escape(clean(run.model))}">{escape(model_name(run.model))}</span>
        <span class="wn-quiet">{" · ".join(facts)}</span>
        <span class="wn-state">{_state(run, counts)}</span>
      </div>
      {_bar(counts)}
      <div class="wn-facts">{"".join(_fact(name, value) for name, value in _facts(run, counts))}</div>
    </div>"""


def _state(run: RunRow, counts: RunCounts) -> str:
    said = STATE.get(run.status, escape(run.status))
    begun = counts.done or counts.failed or run.job_id is None
    if run.status == "running" and (notice := run.progress.get(NOTICE)):
        return f"{said} · {escape(clean(str(notice)))}"
    return said if begun or run.status != "running" else f"{said}, loading the model"


def _bar(counts: RunCounts) -> str:
    parts = (
        ("accepted", counts.accepted),
        ("rejected", counts.rejected - counts.unreadable),
        ("unreadable", counts.unreadable),
        ("failed", counts.failed),
    )
    whole = max(counts.total, counts.done + counts.failed, 1)
    segments = "".join(
        f'<i class="wn-{name}" style="width:{100 * count / whole:.3f}%" title="{count:,} {name}"></i>'
        for name, count in parts
        if count
    )
    words = ", ".join(f"{count:,} {name}" for name, count in parts if count) or "nothing yet"
    return f'<div class="wn-bar" role="img" aria-label="{words} of {counts.total:,}">{segments}</div>'


def _facts(run: RunRow, counts: RunCounts) -> list[tuple[str, str]]:
    done = counts.done + counts.failed
    facts = [
        ("done", f"{counts.done:,} of {counts.total:,}"),
        ("accepted", f"{counts.accepted:,} · {percent(counts.accepted / counts.done if counts.done else None)}"),
        ("accuracy", with_interval(counts.accuracy) if counts.accuracy else "–"),
        ("unreadable", f"{counts.unreadable:,}"),
        ("failed", f"{counts.failed:,}"),
    ]
    if run.status in ("queued", "starting", "running"):
        live = run.progress if run.status == "running" else {}
        eta = live.get("eta_s")
        facts += [
            ("predictions/s", f"{live['pairs_per_s']:.3g}" if live.get("pairs_per_s") else "–"),
            ("tokens/s", compact(live["tokens_per_s"]) if live.get("tokens_per_s") else "–"),
            ("left", lasting(eta) if eta is not None and done < counts.total else "–"),
        ]
    elif run.took_s is not None:
        facts += [("took", lasting(run.took_s))]
    return facts


def _fact(name: str, value: str) -> str:
    return f'<span class="wn-fact wn-f-{name.split("/")[0]}"><em>{name}</em>{escape(value)}</span>'
