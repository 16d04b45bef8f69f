"""A training as a card: how far it is, and the numbers beside it."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from backend.domain.jobs import OPEN
from backend.store.trainings import TrainingRow
from dashboard.job_cards import STATE
from dashboard.models import model_name
from dashboard.numbers import ago, lasting
from dashboard.text import clean

_STAGES = {"exporting": "writing the rows", "stopping": "saving, then it stops"}


def training_name(row: TrainingRow) -> str:
    """One line for a choice."""
    return f"{row.id} · {model_name(row.model, 40)} · {set_names(row, 60)}"


def set_names(row: TrainingRow, limit: int = 120) -> str:
    """The sets of a training, as the command names them."""
    return clean(", ".join(f"{ref['name']}@{ref['version']}" for ref in row.sets), limit)


def draw_card(row: TrainingRow, result: str | None = None) -> None:
    """Draw a training; ``result`` is what its newest evaluation came to."""
    st.html(card_html(row, result))


def card_html(row: TrainingRow, result: str | None = None) -> str:
    """The card; every text in it is escaped."""
    facts = [escape(set_names(row, 80)), escape(clean(row.trainer, 20)), ago(row.created_at)]
    numbers = "".join(
        f'<span class="wn-fact"><em>{name}</em>{escape(value)}</span>' for name, value in _numbers(row, result)
    )
    return f"""
    <div class="wn-run wn-{escape(row.status)}">
      <div class="wn-head">
        <b>{row.id}</b><span class="wn-model" title="{escape(clean(row.model))}">{escape(model_name(row.model))}</span>
        <span class="wn-quiet">{" · ".join(facts)}</span>
        <span class="wn-state">{STATE.get(row.status, escape(row.status))}</span>
      </div>
      {_bar(row.progress)}
      <div class="wn-facts">{numbers}</div>
    </div>"""


def _bar(progress: dict[str, Any]) -> str:
    step, steps = int(progress.get("step") or 0), int(progress.get("steps") or 0)
    share = 100 * min(1.0, step / steps) if steps else 0.0
    words = f"{step:,} of {steps:,} steps" if steps else "nothing yet"
    done = f'<i class="wn-done" style="width:{share:.3f}%"></i>' if share else ""
    return f'<div class="wn-bar" role="img" aria-label="{words}">{done}</div>'


def _numbers(row: TrainingRow, result: str | None) -> list[tuple[str, str]]:
    known = row.progress
    numbers = [
        ("steps", f"{known['step']:,} of {known['steps']:,}" if known.get("steps") else "–"),
        ("loss", _short(known.get("loss"))),
    ]
    if row.status in OPEN:
        stage = str(known.get("stage", ""))
        left = known.get("eta_s")
        rate = known.get("samples_per_s")
        numbers += [
            ("rows/s", f"{rate:.3g}" if rate else "–"),
            ("left", lasting(left) if left is not None else _STAGES.get(stage, "–")),
        ]
    elif row.took_s is not None:
        numbers.append(("took", lasting(row.took_s)))
    if known.get("validation_loss") is not None:  # last, so that its coming moves nothing
        numbers.append(("validation loss", _short(known["validation_loss"])))
    if result:
        numbers.append(("accuracy", result))
    return numbers


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
