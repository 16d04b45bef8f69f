"""What every page says while the server does not answer: what is stored, what waits, what to do."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_component = st.components.v2.component(
    "winnow_away", html=_read("away.html"), css=_read("away.css"), js=_read("away.js")
)


def away(workspace: str) -> None:
    """Put it on the page, unseen.

    Args:
        workspace: As of :func:`dashboard.session.workspace_mark`; rulings of others are not counted.
    """
    with st.container(key="winnow_away"):
        _component(key="away", data={"workspace": workspace})
