"""The loop as a row of steps: how much has come how far."""

from __future__ import annotations

from html import escape

import streamlit as st

from backend.store.overview import Totals
from dashboard.numbers import percent
from dashboard.theme import ACCEPTED, WAITING

_STYLE = """<style>
.wn-loop { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 8px;
  font-variant-numeric: tabular-nums; }
.wn-step { border: 1px solid rgba(138, 144, 150, 0.4); border-radius: 4px; padding: 8px 12px 10px; min-width: 0;
  display: flex; flex-direction: column; }
.wn-step span { display: block; font-size: 0.8125rem; }
.wn-step .wn-of { opacity: 0.72; font-size: 0.75rem; line-height: 1.4; min-height: 1.4em; }
.wn-step b { font-size: 1.375rem; font-weight: 600; }
.wn-level { height: 6px; margin-top: auto; transform: translateY(4px); border-radius: 2px;
  background: rgba(138, 144, 150, 0.22); }
.wn-level i { display: block; height: 6px; border-radius: 2px; background: var(--wn-step); min-width: 0; }
@media (max-width: 900px) { .wn-loop { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
</style>"""


def funnel(loop: Totals) -> None:
    """Draw the six steps. What is part of another step says what share of it.

    Sets are no part of what is accepted now: several may hold the same row, and one that was frozen
    before a ruling keeps what the ruling has since rejected.
    """
    steps = (
        ("pairs", loop.pairs, None, "", WAITING),
        ("predictions", loop.predictions, None, _per(loop.predictions, loop.pairs), WAITING),
        ("accepted", loop.accepted, loop.predictions, "of predictions", ACCEPTED),
        ("reviewed", loop.reviewed, loop.predictions, "of predictions", WAITING),
        ("in a set", loop.in_sets, None, "rows, newest versions", WAITING),
        ("trained on", loop.trained, None, "rows of sets", WAITING),
    )
    cells = "".join(_step(*step) for step in steps)
    st.html(f'{_STYLE}<div class="wn-loop" role="list">{cells}</div>')


def _step(name: str, count: int, of: int | None, words: str, colour: str) -> str:
    share = count / of if of else 0.0
    said = f"{percent(share)} {words}" if of else words
    bar = f'<div class="wn-level"><i style="width:{100 * share:.2f}%"></i></div>'
    level = "" if of is None else bar
    return (
        f'<div class="wn-step" role="listitem" style="--wn-step:{colour}"><span>{escape(name)}</span>'
        f'<b>{count:,}</b><span class="wn-of">{escape(said)}</span>'
        f"{level}</div>"
    )


def _per(predictions: int, pairs: int) -> str:
    return f"{predictions / pairs:.3g} a pair" if pairs else ""
