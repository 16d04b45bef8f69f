"""Choices that live in the URL, so that a link, a reload and the browser's Back restore them.

Streamlit's own ``bind="query-params"`` writes the label that people see; these write the value.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import TypeVar

import streamlit as st

T = TypeVar("T", bound=Hashable)
_LONGEST_NUMBER = 18


def number_in_url(name: str, default: int | None = None) -> int | None:
    """A number in the URL; ``default`` where there is none that makes sense."""
    given = st.query_params.get(name, "")
    return int(given) if given.isdecimal() and len(given) <= _LONGEST_NUMBER else default


def follow(name: str, options: Sequence[T], default: T) -> None:
    """Set the widget whose key is ``name`` to what the URL says. Call it before the widget."""
    known = {str(option): option for option in options}
    value = known.get(st.query_params.get(name, ""), default)
    if st.session_state.get(name) != value:
        st.session_state[name] = value


def write(name: str, *places: str) -> partial[None]:
    """For the widget's ``on_change``: write its value, and begin anew in what it leads to.

    Args:
        places: Parameters that said where in the former list one was.
    """
    return partial(_write, name, places)


def _write(name: str, places: tuple[str, ...]) -> None:
    st.query_params[name] = str(st.session_state[name])
    for place in places:
        st.query_params.pop(place, None)
