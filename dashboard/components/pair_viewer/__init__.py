"""The pair viewer: one component that owns the whole review room.

Its script talks to our own routes, not to Streamlit: a ruling reruns nothing, and a rerun of the
page leaves the room as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dashboard.components.inline import declared

_component = declared("winnow_pair_viewer", Path(__file__).with_name("viewer"))


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
