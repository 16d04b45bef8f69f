"""What the cards of runs and of trainings have in common."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_STYLE = (Path(__file__).parent / "job_cards.css").read_text(encoding="utf-8")
STATE = {
    "queued": "◷ queued",
    "starting": "◷ starting",
    "running": "▶ running",
    "finished": "✓ finished",
    "failed": "✕ failed",
    "cancelled": "■ cancelled",
    "interrupted": "✕ interrupted",
}


def card_style() -> None:
    """The cards' rules; once a page."""
    st.html(f"<style>{_STYLE}</style>")
