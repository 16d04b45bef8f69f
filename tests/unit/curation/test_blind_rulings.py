"""What is said with the verdict open is kept, counts, and is no part of an audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.curation.audit import audit
from backend.curation.bulk import BulkRulings
from backend.curation.kinds.registry import KINDS
from backend.curation.queues import NewQueue, Queues, Sent
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.domain.reading import Flaw, flaw_mask
from backend.store.audits import Audits
from backend.store.database import Database
from backend.store.queues import QueueRow
from backend.store.schema import reviews, verdicts

Judge = Callable[..., int]
FIGURES = ("rulings", "precision", "rejection", "judge", "label", "agreement", "reviewers")


def sent(queue: QueueRow, place: int, number: int, token: str, **more: Any) -> Sent:
    values = {"ruling": "relabel", "relabel": "first", **more}
    if values["ruling"] != "relabel":
        values["relabel"] = None
    return Sent(token=token, queue_id=queue.id, position=place, prediction_id=number, **values)


def figures(db: Database, queue: QueueRow) -> dict[str, Any]:
    found = audit(db, queue, "ann", all_chosen=True)
    return {name: found[name] for name in FIGURES}


def marks(db: Database, number: int) -> list[tuple[str, str, bool | None]]:
    return [(row.reviewer, row.ruling, row.unblinded) for row in Rulings(db).history(number)]


def make_blind(db: Database, numbers: list[int], kind: str = "filter") -> QueueRow:
    new = NewQueue(kind=kind, title="b", blind=True, rulings_wanted=2)
    return Queues(db).make(new, created_by="ann", ids=numbers if kind == "filter" else None)


def test_a_changed_mind_counts_and_the_audit_keeps_the_blind_choice(db: Database, judge: Judge) -> None:
    number = judge(1, answer="second")
    queue, queues = make_blind(db, [number]), Queues(db)
    queues.rule("ann", [sent(queue, 0, number, "t1", relabel="first")])
    before = figures(db, queue)
    queues.rule("ann", [sent(queue, 0, number, "t2", relabel="second")])
    assert marks(db, number) == [("ann", "relabel", False), ("ann", "relabel", True)]
    assert figures(db, queue) == before
    assert before["label"] == {"hits": 1, "n": 1, "share": None}
    with db.read() as connection:
        assert connection.execute(verdicts.select()).one().effective == "accepted"
    [own] = Audits(db).rulings(queue, reviewer="ann")
    assert (own.relabel, own.unblinded) == ("second", True)


def test_a_slip_that_is_corrected_before_any_answer_came_was_never_seen(db: Database, judge: Judge) -> None:
    number = judge(1)
    queue = make_blind(db, [number])
    Queues(db).rule(
        "ann",
        [
            sent(queue, 0, number, "t1", relabel="second"),
            sent(queue, 0, number, "t2", ruling="undo", undoes="t1"),
            sent(queue, 0, number, "t3", relabel="first"),
        ],
    )
    assert [mark for _, _, mark in marks(db, number)] == [False, False, False]
    [counted] = Audits(db).counted(queue)
    assert (counted.relabel, counted.token) == ("first", "t3")


acts = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.integers(0, 2),
        st.sampled_from(["accept", "reject", "flag", "first", "second", "tie", "undo", "note", "cli", "bulk"]),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.lists(st.sampled_from(["first", "second", "tie"]), min_size=6, max_size=6), later=acts)
def test_nothing_that_is_said_after_the_blind_choice_changes_an_audit(
    db: Database, judge: Judge, chosen: list[str], later: list[tuple[str, int, str]]
) -> None:
    base = 10 * len(Queues(db).newest())
    numbers = [judge(base + n, answer=side) for n, side in enumerate(("first", "second", "first"))]
    queue, queues, rulings = make_blind(db, numbers), Queues(db), Rulings(db)
    live: dict[tuple[str, int], list[str]] = {}
    for turn, side in enumerate(chosen):
        who, place, token = ("ann", "bob")[turn % 2], turn // 2, f"{base}b{turn}"
        queues.rule(who, [sent(queue, place, numbers[place], token, relabel=side)])
        live[who, place] = [token]
    before = figures(db, queue)
    for turn, (who, place, what) in enumerate(later):
        number, token, stack = numbers[place], f"{base}l{turn}", live[who, place]
        if what == "cli":
            rulings.add(number, "relabel", relabel="tie", reviewer=who)
        elif what == "bulk":
            BulkRulings(db).add([number], "reject", reviewer=who)
        elif what == "undo":
            if stack:
                queues.rule(who, [sent(queue, place, number, token, ruling="undo", undoes=stack.pop())])
        else:
            more = {"relabel": what} if what in ("first", "second", "tie") else {"ruling": what}
            if queues.rule(who, [sent(queue, place, number, token, **more)])[0] and what != "note":
                stack.append(token)
        assert figures(db, queue) == before
    for number in numbers:
        own = [row for row in Rulings(db).history(number) if row.ruling != "note"]
        assert [row.unblinded for row in own] == [False, False, *[True] * (len(own) - 2)]


def test_what_waits_in_a_blind_queue_is_ruled_on_blind_in_every_room(db: Database, judge: Judge) -> None:
    number = judge(1)
    queues = Queues(db)
    queue = make_blind(db, [number])
    other = queues.make(NewQueue(kind="filter", title="n"), created_by="a", ids=[number])
    queues.rule("ann", [sent(other, 0, number, "t1")])
    queues.rule("ann", [sent(queue, 0, number, "t2", relabel="second")])
    assert [mark for _, _, mark in marks(db, number)] == [False, True]
    # It was made in the other room, out of another choice of pairs: it says nothing about this queue.
    assert Audits(db).counted(queue) == []
    assert [row.token for row in Audits(db).counted(other)] == ["t1"]


def test_a_room_that_is_not_blind_counts_a_changed_mind_unless_one_chose_to_be_blind(
    db: Database, judge: Judge
) -> None:
    number = judge(1)
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="filter", title="n"), created_by="a", ids=[number])
    queues.rule("ann", [sent(queue, 0, number, "a1", ruling="accept")])
    queues.rule("ann", [sent(queue, 0, number, "a2", ruling="reject")])
    queues.rule("bob", [sent(queue, 0, number, "b1", relabel="first", unblinded=False)])
    queues.rule("bob", [sent(queue, 0, number, "b2", relabel="second", unblinded=False)])
    assert {row.reviewer: row.token for row in Audits(db).counted(queue)} == {"ann": "a2", "bob": "b1"}
    assert marks(db, number)[-1] == ("bob", "relabel", True), "whatever a browser says"


def test_a_flag_beside_a_ruling_does_not_take_it_out_of_the_audit(db: Database, judge: Judge) -> None:
    number = judge(1)
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="filter", title="n"), created_by="a", ids=[number])
    queues.rule("ann", [sent(queue, 0, number, "a1", ruling="accept")])
    before = figures(db, queue)
    queues.rule("ann", [sent(queue, 0, number, "a2", ruling="flag")])
    assert figures(db, queue) == before
    assert before["precision"]["n"] == 1


def test_an_undo_of_somebody_else_takes_a_blind_ruling_out_of_the_audit(db: Database, judge: Judge) -> None:
    number = judge(1)
    queue = make_blind(db, [number])
    Queues(db).rule("ann", [sent(queue, 0, number, "t1")])
    Rulings(db).add(number, "undo", reviewer="the lead")
    assert Audits(db).counted(queue) == []


def test_the_marks_survive_an_export_and_an_import(db: Database, judge: Judge) -> None:
    number = judge(1)
    queue = make_blind(db, [number])
    for token, side in (("t1", "first"), ("t2", "second")):
        Queues(db).rule("ann", [sent(queue, 0, number, token, relabel=side)])
    rows = list(RulingRows(db).iter_export(1))
    before = marks(db, number)
    with db.write() as connection:
        connection.execute(reviews.delete())
    assert RulingRows(db).import_rows(1, rows) == 2
    assert marks(db, number) == before


@pytest.mark.parametrize("kind", list(KINDS))
def test_only_a_random_sample_has_estimates_and_every_other_queue_says_why_not(
    db: Database, judge: Judge, kind: str
) -> None:
    flawed = flaw_mask(list(Flaw)[:1])
    numbers = [judge(1, flaws=flawed), judge(2, answer="second", margin=9.0, flaws=flawed)]
    numbers.append(judge(2, answer="second", sample=1, margin=9.0))
    if kind == "flagged":
        Rulings(db).add(numbers[0], "flag", reviewer="bob")
    queues = Queues(db)
    queue = queues.make(NewQueue(kind=kind, title="q"), created_by="ann", ids=numbers if kind == "filter" else None)
    slot = queues.hand_out(queue, "ann", start=0, count=1).slots[0]
    queues.rule("ann", [sent(queue, 0, slot.prediction_id, "t1", relabel="first")])
    found = audit(db, queue, "ann")
    shares = [found[name] for name in ("precision", "rejection", "judge", "label")]
    counted = [share for share in shares if share["n"]]
    assert counted
    random = kind in ("audit_accepted", "audit_rejected")
    for share in counted:
        assert ({"low", "high", "more"} <= share.keys()) is random
        assert (share["share"] is not None) is random
    assert (found["why"] is None) is random


def test_a_blind_queue_keeps_colleagues_out_of_every_number_until_one_has_chosen_everywhere(
    db: Database, judge: Judge
) -> None:
    numbers = [judge(n) for n in range(3)]
    queue, queues = make_blind(db, numbers, "audit_accepted"), Queues(db)
    places = {slot.prediction_id: slot.position for slot in queues.hand_out(queue, "bob", start=0, count=9).slots}
    alone = audit(db, queue, "ann")
    for n, number in enumerate(numbers):
        queues.rule("bob", [sent(queue, places[number], number, f"b{n}", relabel="second")])
    assert audit(db, queue, "ann") == alone
    queues.rule("ann", [sent(queue, places[numbers[0]], numbers[0], "a0", relabel="first")])
    own = audit(db, queue, "ann")
    assert (own["rulings"], own["reviewers"], own["agreement"]["items"]) == (1, 1, 0)
    assert own["precision"] == {"hits": 1, "n": 1, "share": None}
    everybody = audit(db, queue, "ann", all_chosen=True)
    assert (everybody["rulings"], everybody["agreement"]["items"]) == (4, 1)
    assert everybody["precision"]["share"] == 0.25
