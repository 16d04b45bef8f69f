"""The frame of a page, and the one place where errors become text."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException, StopException

from backend.errors import StoreUnavailable, WinnowError
from backend.hints import Hint
from backend.store.database import ping
from dashboard.hints import marked, message_of
from dashboard.space import shared
from dashboard.text import md

log = logging.getLogger(__name__)

P = ParamSpec("P")
_LOOK_AGAIN_S = 2.0


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


def fragment(run_every: float | None = None) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Streamlit's fragment, with the error edge that a page has around it only when it is drawn as a
    whole."""

    def decorate(draw: Callable[P, None]) -> Callable[P, None]:
        @wraps(draw)
        def shown(*args: P.args, **kwargs: P.kwargs) -> None:
            with errors_shown():
                draw(*args, **kwargs)

        decorated: Callable[P, None] = st.fragment(shown, run_every=run_every)
        return decorated

    return decorate


def show(error: WinnowError) -> None:
    """One error, as the pages show all of them."""
    if isinstance(error, StoreUnavailable):
        st.warning(
            f"**The database does not answer just now.**  \n{md(error.message)}  \nThis page looks for "
            "it every two seconds and goes on by itself. Nothing that was stored is lost.",
            icon=":material/cloud_off:",
        )
        _look_again(time.monotonic())
        return
    show_problem(message_of(error), error.hint)


def show_problem(message: str, hint: Hint | str | None) -> None:
    """What is wrong, and below it what to do about it."""
    st.error(f"{md(message)}{f'  {chr(10)}{marked(hint)}' if hint else ''}", icon=":material/error:")


def _unexpected() -> None:
    st.error(
        "Something went wrong on this page.  \nThe server's log says what; reloading may help.", icon=":material/error:"
    )


@st.fragment(run_every=_LOOK_AGAIN_S)
def _look_again(drawn_at: float) -> None:
    """Have the whole page drawn again when the database answers, though not in a circle: what failed a
    moment ago may fail again."""
    if time.monotonic() - drawn_at < _LOOK_AGAIN_S / 2:
        return
    try:
        ping(shared().database)
        shared().supervise()
    except WinnowError:
        return
    st.toast("The database answers again. What you asked for meanwhile was not done.")
    st.rerun()
