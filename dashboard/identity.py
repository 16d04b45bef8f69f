"""Who is at the dashboard: from the login where there is one, else asked once and kept."""

from __future__ import annotations

import streamlit as st

from backend.domain.people import Person, Role
from backend.errors import Forbidden, UsageError
from backend.store.people import People
from dashboard.session import session_id
from dashboard.space import shared

_NAME = "winnow_name"
MAX_NAME = 80


def login_configured() -> bool:
    """Whether ``.streamlit/secrets.toml`` has an ``[auth]`` section (see ``st.login``)."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def present_person() -> Person:
    """The person this script runs for. Their name is empty until they have said it.

    Raises:
        Forbidden: There is a login, and they have not passed it.
    """
    if login_configured():
        if not st.user.is_logged_in:
            raise Forbidden("please log in first")
        name = str(st.user.get("email") or st.user.get("sub") or "").lower()
        operators = shared().settings.operators
        operator = name in operators or "*" in operators
        return Person(name, Role.OPERATOR if operator else Role.REVIEWER)
    name = st.session_state.get(_NAME)
    if name is None:
        session = session_id()
        kept = People(shared().database).settings(f"session:{session}") if session else {}
        name = st.session_state[_NAME] = str(kept.get("name", ""))
    return Person(name, Role.OPERATOR)


def keep_name(name: str) -> None:
    """Remember what the person at this browser is called.

    Raises:
        UsageError: That is no name.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"a name has 1 to {MAX_NAME} printable characters")
    if session := session_id():
        People(shared().database).keep(f"session:{session}", name=name)
    st.session_state[_NAME] = name


def ask_name() -> bool:
    """Ask for a name where one is needed; whether there is one now."""
    if present_person().name:
        return True
    with st.form("winnow_identity", border=True):
        st.markdown("**Who is reviewing?**")
        st.caption("Your rulings are stored under this name. This browser remembers it.")
        given = st.text_input("Name", max_chars=MAX_NAME, placeholder="Ada")
        if st.form_submit_button("Go on", type="primary"):
            keep_name(given)
            st.rerun()
    return False
