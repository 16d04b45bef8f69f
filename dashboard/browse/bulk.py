"""One ruling on all matches, and one undo of the whole act."""

from __future__ import annotations

import secrets

import streamlit as st

from backend.domain.browse import BrowseFilter
from backend.errors import ReviewError
from backend.store.browse import Browse
from backend.store.people import People
from dashboard.page import show
from dashboard.space import person, space
from dashboard.text import md

_CHOICES = {
    "accept": "Accept all",
    "reject": "Reject all",
    "flag": "Flag all",
}
_DONE = {"accept": "accepted", "reject": "rejected", "flag": "flagged"}


def bulk_ruling(wanted: BrowseFilter, count: int) -> None:
    """The form. The count is shown, and must be confirmed, before anything is stored."""
    who = person()
    if not who.name:
        st.caption("Say who you are (in the sidebar) to rule on all matches.")
        return
    ruling = st.radio("Ruling", list(_CHOICES), format_func=_CHOICES.__getitem__, key="bulk_ruling")
    note = st.text_input("Note", key="bulk_note", max_chars=2000)
    tag = st.text_input("Tag", key="bulk_tag", max_chars=60)
    sure = st.checkbox(f"Yes, all {count:,} matches, not only this page", key="bulk_sure")
    if st.button(f"{_CHOICES[ruling]} {count:,}", disabled=not sure or count == 0, type="primary"):
        ids = Browse(space().database).ids(wanted)
        if len(ids) != count:
            raise ReviewError(
                f"there are {len(ids):,} matches now, not {count:,}",
                hint="look again, then confirm",
            )
        act = secrets.token_hex(16)
        # Kept before the first row is stored, so that a server that dies leaves an act to undo.
        People(space().database).keep(
            who.name, last_act={"token": act, "ruling": ruling, "count": len(ids)}
        )
        with st.spinner(f"storing {len(ids):,} rulings"):
            space().rulings.add_many(
                ids,
                ruling,
                note=note,
                tags=[tag] if tag.strip() else [],
                reviewer=who.name,
                token=act,
            )
        st.session_state.bulk_sure_reset = True
        st.rerun()


def undo_line() -> None:
    """What this person last did to many at once, and its undo."""
    who = person()
    people = People(space().database)
    act = people.settings(who.name).get("last_act") if who.name else None
    if not act:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"You {_DONE[act['ruling']]} {act['count']:,} predictions at once.")
        if st.button("Undo all of it", key="bulk_undo"):
            try:
                undone, left = space().rulings.undo_act(act["token"], reviewer=who.name)
            except ReviewError as error:
                show(error)
                return
            people.keep(who.name, last_act=None)
            words = f"{undone:,} rulings taken back"
            st.toast(
                md(f"{words}; {left:,} kept, because they were ruled on since" if left else words)
            )
            st.rerun()
        if st.button("Keep it", key="bulk_keep", type="tertiary"):
            people.keep(who.name, last_act=None)
            st.rerun()
