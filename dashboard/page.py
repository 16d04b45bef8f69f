"""The frame of a page, and the one place where errors become text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException, StopException

from backend.errors import WinnowError
from dashboard.text import md

log = logging.getLogger(__name__)


@contextmanager
def page(title: str | None, *, about: str | None = None) -> Iterator[None]:
    """A page's title, and its error edge: one line and a hint; the log has the rest.

    Args:
        title: ``None`` draws no title line.
        about: One line below the title.
    """
    if title is not None:
        st.header(title, anchor=False)
    if about is not None:
        st.caption(about)
    with errors_shown():
        yield


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show what goes wrong inside as one line and a hint."""
    try:
        yield
    except (RerunException, StopException):
        raise  # Streamlit's own flow of control
    except WinnowError as error:
        show(error)
    except StreamlitAPIException:
        log.exception("a page uses Streamlit wrongly")
        _unexpected()
    except Exception:
        log.exception("a page failed")
        _unexpected()


def show(error: WinnowError) -> None:
    """One error, as the pages show all of them."""
    hint = f"  \n{md(error.hint)}" if error.hint else ""
    st.error(f"{md(error.message)}{hint}", icon=":material/error:")


def _unexpected() -> None:
    st.error(
        "Something went wrong on this page.  \nThe server's log says what; reloading may help.",
        icon=":material/error:",
    )
