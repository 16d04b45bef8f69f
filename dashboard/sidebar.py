"""Below the navigation: which workspace this is, and who is at it."""

from __future__ import annotations

import streamlit as st

from backend.domain.operations import Operation
from dashboard.identity import keep_name, login_configured, present_person
from dashboard.page import errors_shown
from dashboard.roles import i_may
from dashboard.space import shared
from dashboard.text import md


def sidebar() -> None:
    """Draw it."""
    with st.sidebar:
        who = present_person()
        st.space("small")
        if login_configured():
            st.caption(f"{md(who.name)} · {shared().here(who).role.value}")
            if st.button("Log out", type="tertiary"):
                st.logout()
        elif i_may(Operation.KEEP_SETTINGS):
            # A form, so that Enter keeps the name as the button does.
            with (
                # Another name is another popover: it closes when the name is kept.
                st.popover(md(who.name, 24) or "Who are you?", width="stretch", key=f"who_{who.name}"),
                st.form("who", border=False),
                errors_shown(),
            ):
                given = st.text_input("Your name, for rulings", value=who.name, max_chars=80)
                if st.form_submit_button("Keep") and given != who.name:
                    keep_name(given)
                    st.rerun()
        if words := shared().read_only:
            st.markdown(
                f":material/lock: {words[:1].upper()}{words[1:]}",
                help="The workspace's folder cannot be written: look, and change nothing.",
            )
        st.caption(md(shared().folder.name, 24), help=f"The workspace is {md(shared().folder)}")
