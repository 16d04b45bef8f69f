"""Which pages there are, in the order of the loop."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.identity import login_needed, start_login
from dashboard.session import come_back_to

_PAGES = (
    ("overview", "Overview"),
    ("datasets", "Datasets"),
    ("runs", "Runs"),
    ("compare", "Compare"),
    ("browse", "Browse"),
    ("review", "Review"),
    ("curate", "Curate"),
    ("training", "Training"),
)


_KNOWN = "winnow_pages"
_HERE = "winnow_here"
_LEFT = "winnow_left"


def pages(folder: Path) -> StreamlitPage:
    """The page that the URL names; the login page where there is a login and nobody is in."""
    if login_needed():
        # At every page's address, so that no link leads to "page not found".
        doors = [st.Page(_log_in, title="Log in", url_path=name, default=name == "overview") for name, _ in _PAGES]
        door = st.navigation(doors, position="hidden")
        st.session_state[_HERE] = door.url_path
        return door
    known = {
        name: st.Page(folder / f"{name}.py", title=title, url_path=name, default=name == "overview")
        for name, title in _PAGES
        if (folder / f"{name}.py").exists()
    }
    st.session_state[_KNOWN] = known
    chosen = st.navigation(list(known.values()))
    _mend_back(chosen.url_path)
    return chosen


def page_link(name: str, label: str, /, **query: str) -> None:
    """A link to one of our pages, with what it should show; nothing where that page is not."""
    page = st.session_state.get(_KNOWN, {}).get(name)
    if page is not None:
        st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query or None)


def go(name: str, /, **query: str) -> None:
    """Go to one of our pages."""
    page = st.session_state.get(_KNOWN, {}).get(name)
    if page is not None:
        left = st.session_state.setdefault(_LEFT, {})
        left[st.session_state.get(_HERE, "")] = (query, st.query_params.to_dict())
        st.switch_page(page, query_params=query)


def _mend_back(here: str) -> None:
    """Give a page back the query that it had when it was left.

    Streamlit's ``switch_page`` first writes the next page's query beside this page's name, and that
    is where the browser's Back arrives.
    """
    wrong, right = st.session_state.get(_LEFT, {}).get(here, ({}, {}))
    if here != st.session_state.get(_HERE) and wrong and st.query_params.to_dict() == wrong:
        st.query_params.from_dict(right)
    st.session_state[_HERE] = here


def _log_in() -> None:
    st.title("Winnow")
    st.write("Log in to look at what your judge was trained on.")
    if st.button("Log in", type="primary"):
        come_back_to(st.session_state[_HERE], st.query_params.to_dict())
        start_login()
