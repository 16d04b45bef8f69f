"""The rows of the loops: one driver at a time, and who lost a loop cannot write to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.errors import NotFound
from backend.store.database import Database
from backend.store.loops import Driver, Loops

FIRST = Driver(pid=1, pid_started=10.0, host="a", at=100.0)
SECOND = Driver(pid=2, pid_started=20.0, host="a", at=100.0)


@pytest.fixture
def loops(database: Database) -> Loops:
    return Loops(database)


def test_of_two_that_claim_a_loop_at_once_one_gets_it(loops: Loops) -> None:
    loop_id = loops.add({"a": 1}, {"step": "infer"})
    taken = loops.claim(loop_id, FIRST, over=None)
    assert taken is not None and (taken.driver, taken.state) == (FIRST, {"step": "infer"})
    assert loops.claim(loop_id, SECOND, over=None) is None
    assert loops.get(loop_id).driver == FIRST


def test_a_driver_that_was_heard_of_meanwhile_is_not_replaced(loops: Loops) -> None:
    loop_id = loops.add({}, {})
    loops.claim(loop_id, FIRST, over=None)
    assert loops.renew(loop_id, replace(FIRST, at=200.0))
    assert loops.claim(loop_id, SECOND, over=FIRST) is None
    assert loops.claim(loop_id, SECOND, over=replace(FIRST, at=200.0)) is not None


def test_who_lost_a_loop_can_neither_save_nor_renew_nor_let_go_of_it(loops: Loops) -> None:
    loop_id = loops.add({}, {"step": "infer"})
    loops.claim(loop_id, FIRST, over=None)
    loops.claim(loop_id, SECOND, over=FIRST)
    assert not loops.save(loop_id, FIRST, spec={}, state={"step": "train"})
    assert not loops.renew(loop_id, FIRST)
    loops.release(loop_id, FIRST)
    row = loops.get(loop_id)
    assert (row.driver, row.state) == (SECOND, {"step": "infer"})


def test_a_reused_pid_is_another_driver(loops: Loops) -> None:
    loop_id = loops.add({}, {})
    loops.claim(loop_id, FIRST, over=None)
    assert not loops.renew(loop_id, replace(FIRST, pid_started=11.0))


def test_what_a_driver_saves_is_there_when_it_has_let_go(loops: Loops) -> None:
    loop_id = loops.add({"a": 1}, {"step": "infer"})
    loops.claim(loop_id, FIRST, over=None)
    assert loops.save(loop_id, FIRST, spec={"a": 2}, state={"step": "train"})
    assert loops.get(loop_id).driver == FIRST
    loops.release(loop_id, FIRST)
    row = loops.get(loop_id)
    assert (row.spec, row.state, row.driver) == ({"a": 2}, {"step": "train"}, None)


def test_an_ended_loop_has_no_driver_and_a_refused_end_changes_nothing(loops: Loops) -> None:
    loop_id = loops.add({}, {"step": "done"})
    loops.claim(loop_id, FIRST, over=None)

    def refuse(_state: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        loops.end(loop_id, refuse)
    assert loops.get(loop_id).driver == FIRST
    assert loops.end(loop_id, lambda state: {**state, "step": "cancelled"}).driver is None
    assert not loops.save(loop_id, FIRST, spec={}, state={"step": "train"})
    with pytest.raises(NotFound):
        loops.end(99, refuse)
