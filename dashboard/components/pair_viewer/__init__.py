"""The pair viewer: one component that owns the whole review room.

Its script talks to our own routes, not to Streamlit: a ruling reruns nothing, and a rerun of the
page leaves the room as it is. The files are read as text and given to Streamlit inline.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "text",
    "outbox",
    "keys",
    "zoom",
    "transport",
    "feed",
    "standing",
    "card",
    "drawing",
    "tabs",
    "alerts",
    "sheets",
    "moving",
    "ruling",
    "notes",
    "answers",
    "viewer",
)
_PARTS = "Object.assign(Viewer.prototype, DRAWING, TABS, ALERTS, SHEETS, MOVING, RULING, NOTES, ANSWERS);\n"


def script() -> str:
    """The component's module: its files one behind the other, in the order of their use."""
    parts = [(_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    return "\n".join([*parts, _PARTS])


_component = st.components.v2.component(
    "winnow_pair_viewer",
    html=(_FOLDER / "viewer.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "viewer.css").read_text(encoding="utf-8"),
    js=script(),
)


def pair_viewer(
    *,
    queue: dict[str, Any],
    at: int,
    person: str,
    workspace: str,
    token: str,
    keys: dict[str, str],
    blind: bool,
    key: str,
) -> None:
    """Draw the room.

    Args:
        queue: ``id``, ``title``, ``kind``, ``items``, ``blind``, ``rulings_wanted``.
        at: The position to open.
        workspace: Tells this workspace from others under the same address: rulings that could not
            be stored yet wait in the browser, for this one alone.
        token: What the component shows our routes; see :func:`dashboard.session.api_token`.
        keys: The person's own keys by action.
        blind: The person reviews blind by choice.
    """
    _component(
        key=key,
        data={
            "queue": queue,
            "at": at,
            "person": person,
            "workspace": workspace,
            "token": token,
            "keys": keys,
            "blind": blind,
        },
    )
