"""Who is at the dashboard: from the login where there is one, else asked once and kept.

And the workspace in their name, which is what pages work with.
"""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config
from streamlit.errors import StreamlitAuthError

from backend.domain.origins import Origin
from backend.domain.people import Person, Role
from backend.errors import Forbidden, SettingsError, UsageError
from backend.workspace import Workspace
from dashboard.session import ended, session_id
from dashboard.space import shared

log = logging.getLogger(__name__)

_NAME = "winnow_name"
MAX_NAME = 80


def login_configured() -> bool:
    """Whether ``.streamlit/secrets.toml`` has an ``[auth]`` section (see ``st.login``).

    Raises:
        SettingsError: The file is there and cannot be read. That is not the same as no login: it
            would make everybody who can reach the dashboard an operator.
    """
    try:
        return "auth" in st.secrets
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not _secrets_exist():
            return False
        log.error("the secrets cannot be read: %s", error)
        raise SettingsError(
            "the file with the login cannot be read", hint="the server's log says what is wrong with secrets.toml"
        ) from error


def login_origins() -> frozenset[Origin]:
    """Where a login brings people back to: the server's own address, as they call it."""
    back = st.secrets["auth"].get("redirect_uri") if login_configured() else None
    parts = urlsplit(back) if isinstance(back, str) else None
    origin = Origin.parse(f"{parts.scheme}://{parts.netloc}") if parts else None
    return frozenset({origin} if origin else ())


def _secrets_exist() -> bool:
    return any(Path(path).exists() for path in config.get_option("secrets.files"))


def login_needed() -> bool:
    """Whether there is a login, and the person at this browser has not passed it."""
    return login_configured() and not st.user.is_logged_in


def start_login() -> None:
    """Send the browser to the provider.

    Raises:
        SettingsError: The login is set up incompletely.
    """
    try:
        st.login()
    except StreamlitAuthError as error:
        log.error("the login cannot be used: %s", error)
        raise SettingsError(
            "the login is not set up completely",
            hint="the server's log says what is missing; README, 'More than one person'",
        ) from error


def space() -> Workspace:
    """The workspace, refusing what the present person may not do."""
    return shared().acting_as(person())


def person() -> Person:
    """Who this script runs for."""
    return shared().here(present_person())


def present_person() -> Person:
    """The person this script runs for. Their name is empty until they have said it.

    Raises:
        Forbidden: There is a login, and they have not passed it.
    """
    if login_configured():
        if not st.user.is_logged_in:
            raise Forbidden("please log in first")
        if (session := session_id()) and ended(session):
            # Another tab of the same browser: its connection still carries the login.
            raise Forbidden("you have logged out", hint="reload the page to log in again")
        return _logged_in()
    name = st.session_state.get(_NAME)
    if name is None:
        session = session_id()
        kept = shared().people.settings(f"session:{session}") if session else {}
        name = st.session_state[_NAME] = str(kept.get("name", ""))
    return Person(name, Role.OPERATOR)


def _logged_in() -> Person:
    # Some providers let people write any address into their profile: one that the provider itself
    # calls unconfirmed proves nothing.
    confirmed = st.user.get("email_verified") is not False
    name = str((confirmed and st.user.get("email")) or st.user.get("sub") or "").lower()
    if not name:
        raise Forbidden(
            "your login says neither who you are nor your e-mail address",
            hint="the provider must send the claim email or sub",
        )
    operators = shared().settings.operators
    operator = name in operators or "*" in operators
    return Person(name, Role.OPERATOR if operator else Role.REVIEWER)


def keep_name(name: str) -> None:
    """Remember what the person at this browser is called.

    Raises:
        UsageError: That is no name.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"a name has 1 to {MAX_NAME} printable characters")
    if session := session_id():
        shared().people.keep(f"session:{session}", name=name)
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
