"""One ruling on all matches, and one undo of the whole act.

Both go on in the background: leaving the page stops neither.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable
from concurrent.futures import wait
from typing import Any

import streamlit as st

from backend.domain.browse import BrowseFilter
from backend.domain.operations import Operation
from backend.errors import ReviewError, WinnowError
from backend.store.browse import Browse
from backend.store.people import People
from dashboard import background
from dashboard.numbers import many
from dashboard.page import fragment, show
from dashboard.roles import i_may
from dashboard.space import person, space

_CHOICES = {"accept": "Accept all", "reject": "Reject all", "flag": "Flag all"}
_DONE = {"accept": "accepted", "reject": "rejected", "flag": "flagged"}
_DOING = {"accept": "Accepting", "reject": "Rejecting", "flag": "Flagging"}
_AT_ONCE_S = 1.0
_ACTS = "bulk_acts"


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
        ids = Browse(space().database).ids(wanted)
        if len(ids) != count:
            raise ReviewError(f"there are {len(ids):,} matches now, not {count:,}", hint="look again, then confirm")
        token = secrets.token_hex(16)
        # Kept before the first row is stored, so that a server that dies leaves an act to undo.
        act = {"token": token, "ruling": ruling, "count": len(ids)}
        People(space().database).keep(who.name, last_act=act)
        within = space()
        st.session_state[_ACTS] = acts() + 1
        _begin(
            ("bulk", token),
            lambda progress: within.rule_on_all(
                ids, ruling, note=note, tags=[tag] if tag else [], token=token, progress=progress
            ),
        )
        st.rerun()


def undo_line() -> None:
    """What this person last did to many at once: how far it is, and its undo."""
    who = person()
    act = People(space().database).settings(who.name).get("last_act") if who.name else None
    if not act or not i_may(Operation.UNDO_ACT):
        return
    doing = background.find(("bulk", act["token"]))
    undoing = background.find(("undo", act["token"]))
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if undoing is not None and not undoing.done:
            _going(undoing, "Taking back", act["count"])
        elif undoing is not None:
            _undone(undoing, act)
        elif doing is not None and not doing.done:
            _going(doing, _DOING[act["ruling"]], act["count"])
        else:
            if doing is not None and doing.error is not None:
                _failed(doing.error)
            elif doing is not None:
                act = {**act, "ruled": doing.future.result()}
            _offer(act)


def _offer(act: dict[str, Any]) -> None:
    count, ruled = act["count"], act.get("ruled", act["count"])
    passed = f" {count - ruled:,} others name no better side and were left." if ruled < count else ""
    st.markdown(f"You {_DONE[act['ruling']]} {many(ruled, 'prediction')} at once.{passed}")
    if st.button("Undo all of it", key="bulk_undo"):
        within, token = space(), act["token"]
        _begin(("undo", token), lambda progress: within.undo_act(token, progress=progress))
        st.rerun()
    if st.button("Keep it", key="bulk_keep", type="tertiary"):
        People(space().database).keep(person().name, last_act=None)
        st.rerun()


def _undone(task: background.Task, act: dict[str, Any]) -> None:
    if task.error is not None:
        _failed(task.error)
        background.forget(("undo", act["token"]))
        return
    undone, left = task.future.result()
    kept = f"; {left:,} kept, because they were ruled on since" if left else ""
    People(space().database).keep(person().name, last_act=None)
    background.forget(("undo", act["token"]))
    st.markdown(f"{many(undone, 'ruling')} taken back{kept}.")


def _begin(key: Hashable, work: Callable[[Callable[[int], None]], Any]) -> None:
    """Start it, and wait for what is done in a moment."""
    task = background.begin(key, lambda task: work(lambda done: task.say(str(done))))
    wait([task.future], timeout=_AT_ONCE_S)


@fragment(run_every=0.5)
def _going(task: background.Task, word: str, count: int) -> None:
    if task.done:
        st.rerun()
    done = int(task.lines[-1]) if task.lines else 0
    st.progress(min(1.0, done / max(1, count)), f"{word}: {done:,} of {count:,}")


def _failed(error: BaseException) -> None:
    if isinstance(error, WinnowError):
        show(error)
    else:
        st.error("It broke off; what was stored can be taken back.", icon=":material/error:")
