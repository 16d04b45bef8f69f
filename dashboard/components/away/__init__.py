"""What every page says while the server does not answer: what is stored, what waits, what to do."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.components.inline import declared

_component = declared("winnow_away", Path(__file__).with_name("away"))


def away(workspace: str) -> None:
    """Put it on the page, unseen.

    Args:
        workspace: As of :func:`dashboard.session.workspace_mark`; rulings of others are not counted.
    """
    with st.container(key="winnow_away"):
        _component(key="away", data={"workspace": workspace})
