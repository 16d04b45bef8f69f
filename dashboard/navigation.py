"""Which pages there are, in the order of the loop."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.identity import login_configured

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


def pages(folder: Path) -> StreamlitPage:
    """The page that the URL names; the login page where there is a login and nobody is in."""
    if login_configured() and not st.user.is_logged_in:
        return st.navigation([st.Page(_log_in, title="Log in")], position="hidden")
    return st.navigation(
        [
            st.Page(folder / f"{name}.py", title=title, url_path=name, default=name == "overview")
            for name, title in _PAGES
            if (folder / f"{name}.py").exists()
        ]
    )


def _log_in() -> None:
    st.title("Winnow")
    st.write("Log in to look at what your judge was trained on.")
    if st.button("Log in", type="primary"):
        st.login()
