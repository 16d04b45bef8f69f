"""One ruling on all matches, and one undo of the whole act.

Both go on in the background: leaving the page stops neither.
"""

from __future__ import annotations

import secrets
from typing import Any

import streamlit as st

from backend.domain.browse import BrowseFilter
from backend.domain.operations import Operation
from backend.errors import ReviewError
from backend.store.tasks import TaskRow
from dashboard import tasks
from dashboard.identity import person, space
from dashboard.numbers import many
from dashboard.roles import i_may

_CHOICES = {"accept": "Accept all", "reject": "Reject all", "flag": "Flag all"}
_DONE = {"accept": "accepted", "reject": "rejected", "flag": "flagged"}
_ACTS = "bulk_acts"
_SAID = "bulk_said"


def acts() -> int:
    """How often this person has ruled on many at once in this session."""
    return int(st.session_state.get(_ACTS, 0))


def bulk_ruling(wanted: BrowseFilter, count: int) -> None:
    """The form. The count is shown, and must be confirmed, before anything is stored."""
    who = person()
    if not i_may(Operation.RULE_ON_ALL):
        st.caption("Operators rule on all matches at once; reviewers one by one.")
        return
    if not who.name:
        st.caption("Say who you are (in the sidebar) to rule on all matches.")
        return
    ruling = st.radio("Ruling", list(_CHOICES), format_func=_CHOICES.__getitem__, key="bulk_ruling")
    note = st.text_input("Note", key="bulk_note", max_chars=2000)
    tag = st.text_input("Tag", key="bulk_tag", max_chars=60).strip()
    # Under a key of its own for each choice and act: a confirmation never outlives what it was given
    # for, and a double click rules once.
    sure = st.checkbox(
        "Yes, the one match" if count == 1 else f"Yes, all {count:,} matches, not only this page",
        key=f"bulk_sure_{hash((wanted, count, ruling, acts()))}",
    )
    ready = sure and count > 0
    # A second click that is under way while the first one works comes back from a disabled button too.
    if st.button(f"{_CHOICES[ruling]} {count:,}", disabled=not ready, type="primary") and ready:
        ids = space().browse.ids(wanted)
        if len(ids) != count:
            raise ReviewError(f"there are {len(ids):,} matches now, not {count:,}", hint="look again, then confirm")
        token = secrets.token_hex(16)
        # Kept before the first row is stored, so that a server that dies leaves an act to undo.
        act = {"token": token, "ruling": ruling, "count": len(ids)}
        space().people.keep(who.name, last_act=act)
        st.session_state[_ACTS] = acts() + 1
        arguments = {"ids": list(ids), "ruling": ruling, "note": note, "tags": [tag] if tag else [], "token": token}
        tasks.begin(
            space(), Operation.RULE_ON_ALL, many(len(ids), "match", "matches"), {**arguments, "total": len(ids)}
        )
        st.rerun()


def keep_answers() -> None:
    """Streamlit forgets fields that a run of the page does not draw, such as while matches are counted."""
    for key in list(st.session_state):
        if str(key) in ("bulk_ruling", "bulk_note", "bulk_tag") or str(key).startswith("bulk_sure_"):
            st.session_state[key] = st.session_state[key]


def undo_line() -> None:
    """What this person last did to many at once: how far it is, and its undo."""
    who = person()
    if not who.name or not i_may(Operation.UNDO_ACT):
        return
    within = space()
    tasks.watch(within, Operation.RULE_ON_ALL, only=lambda row: row.person == who.name, finished=_note_ruled)
    tasks.watch(within, Operation.UNDO_ACT, only=lambda row: row.person == who.name, finished=_undone)
    if said := st.session_state.pop(_SAID, None):
        st.markdown(said)
    act = within.people.settings(who.name).get("last_act")
    going = within.tasks.list(Operation.RULE_ON_ALL.name, Operation.UNDO_ACT.name)
    if act and not any(row.is_open and row.arguments["token"] == act["token"] for row in going):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            _offer(act)


def _note_ruled(task: TaskRow) -> None:
    """How many it was in the end: those whose text names no better side are left."""
    act = space().people.settings(task.person).get("last_act")
    if act and act["token"] == task.arguments["token"]:
        space().people.keep(task.person, last_act={**act, "ruled": (task.result or {}).get("ruled")})


def _offer(act: dict[str, Any]) -> None:
    count = act["count"]
    ruled = act.get("ruled", count)
    passed = f" {count - ruled:,} others name no better side and were left." if ruled < count else ""
    st.markdown(f"You {_DONE[act['ruling']]} {many(ruled, 'prediction')} at once.{passed}")
    if st.button("Undo all of it", key="bulk_undo"):
        title = many(ruled, "ruling")
        tasks.begin(space(), Operation.UNDO_ACT, title, {"token": act["token"], "total": ruled})
        st.rerun()
    if st.button("Keep it", key="bulk_keep", type="tertiary"):
        space().people.keep(person().name, last_act=None)
        st.rerun()


def _undone(task: TaskRow) -> None:
    made = task.result or {}
    left = made.get("left", 0)
    kept = f"; {left:,} kept, because they were ruled on since" if left else ""
    space().people.keep(task.person, last_act=None)
    st.session_state[_SAID] = f"{many(made.get('undone', 0), 'ruling')} taken back{kept}."
