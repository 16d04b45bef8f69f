"""Making review queues, handing their items out, storing rulings exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from backend.curation import queues as module
from backend.curation.queues import NewQueue, Queues, Sent
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.domain.browse import BrowseFilter
from backend.domain.reading import Flaw, flaw_mask
from backend.errors import NotFound, ReviewError
from backend.store.browse import Browse
from backend.store.database import Database
from backend.store.items import Items
from backend.store.queues import QueueRow, QueueRows
from backend.store.schema import queue_claims, queue_items, reviews, verdicts
from backend.store.suspects import votes
from dashboard.api.review_items import why_json

Judge = Callable[..., int]


def ids_of(db: Database, queue: QueueRow) -> list[int]:
    query = (
        select(queue_items.c.prediction_id).where(queue_items.c.queue_id == queue.id).order_by(queue_items.c.position)
    )
    with db.read() as connection:
        return list(connection.execute(query).scalars())


def make(db: Database, kind: str, run_ids: tuple[int, ...] = (), **options: object) -> list[int]:
    new = NewQueue(kind=kind, title="t", run_ids=run_ids, options=options)
    return ids_of(db, Queues(db).make(new, created_by="ann"))


def positions(handed: module.Handed) -> list[int]:
    return [slot.position for slot in handed.slots]


def sent(queue: QueueRow, position: int, prediction_id: int, token: str, **more: object) -> Sent:
    values = {"ruling": "accept", **more}
    return Sent(token=token, queue_id=queue.id, position=position, prediction_id=prediction_id, **values)  # type: ignore[arg-type]


def test_each_kind_finds_what_its_name_says(db: Database, judge: Judge) -> None:
    agrees = judge(1)
    sure = judge(2, answer="second", margin=9.0)
    unsure = judge(3, answer="second", margin=1.0)
    surer = judge(4, answer="second", margin=4.0)
    unreadable = judge(5, answer=None, margin=None, flaws=flaw_mask([Flaw.NO_ANSWER]))
    Rulings(db).add(agrees, "accept", reviewer="ann")
    Rulings(db).add(unsure, "flag", reviewer="ann")
    assert make(db, "unreviewed") == [sure, surer, unreadable]
    assert make(db, "audit_accepted") == [agrees]
    assert sorted(make(db, "audit_rejected")) == [sure, unsure, surer, unreadable]
    assert make(db, "wide_margin", margin=3.0) == [sure, surer]
    assert make(db, "flawed") == [unreadable]
    assert make(db, "flawed", flaws=(Flaw.NO_ANSWER,)) == [unreadable]
    with pytest.raises(ReviewError):
        make(db, "flawed", flaws=(Flaw.CUT_OFF,))
    assert make(db, "flagged") == [unsure]


def test_a_flag_leaves_the_flagged_queue_when_it_is_settled_or_undone(db: Database, judge: Judge) -> None:
    rulings = Rulings(db)
    settled, undone, again, reopened = (judge(pair) for pair in range(4))
    for number in (settled, undone, again, reopened):
        rulings.add(number, "flag", reviewer="ann")
    rulings.add(settled, "accept", reviewer="bob")
    rulings.add(undone, "undo", reviewer="ann")
    rulings.add(again, "reject", reviewer="bob")
    rulings.add(again, "flag", reviewer="ann")
    rulings.add(reopened, "accept", reviewer="bob")
    rulings.add(reopened, "undo", reviewer="bob")
    assert make(db, "flagged") == [again, reopened]


def test_labels_are_suspect_when_samples_orders_or_runs_agree_against_them(db: Database, judge: Judge) -> None:
    # Pair 1: both orders say the second of dataset order. Pair 2: they only repeat a position.
    suspect = judge(1, answer="second")
    judge(1, order="swapped", answer="first")
    judge(2, answer="second")
    judge(2, order="swapped", answer="second")
    runs = judge(3, run=1, answer="second")
    judge(3, run=2, answer="second")
    judge(4, answer="second")  # one answer alone is no agreement
    judge(5, answer="second", label="tie")
    judge(5, answer="second", label="tie", sample=1)
    assert make(db, "suspect_labels") == [suspect, runs]
    assert make(db, "suspect_labels", run_ids=(1,)) == [suspect]


def test_a_pair_that_somebody_has_looked_at_is_no_suspect_until_they_take_that_back(db: Database, judge: Judge) -> None:
    first, second = ((judge(pair, answer="second"), judge(pair, run=2, answer="second")) for pair in (1, 2))
    rulings = Rulings(db)
    assert make(db, "suspect_labels") == [first[0], second[0]]
    # Whichever of its answers was ruled on, in whichever run: what was looked at is the label.
    rulings.add(first[1], "accept", reviewer="ann")
    assert make(db, "suspect_labels") == [second[0]]
    rulings.add(second[0], "flag", reviewer="bob")
    assert make(db, "suspect_labels") == [second[0]], "a flag asks for another look"
    rulings.add(first[1], "undo", reviewer="ann")
    assert make(db, "suspect_labels") == [first[0], second[0]]


def test_a_suspect_pair_says_which_answers_of_which_runs_are_against_it_and_how_sure(
    db: Database, judge: Judge
) -> None:
    judge(1, answer="second", margin=4.0)
    judge(1, order="swapped", answer="first", margin=6.0)
    judge(1, sample=1, answer="first")
    judge(1, sample=2, answer=None)
    judge(1, run=2, answer="second", margin=None)
    judge(2, answer="second")
    why = why_json(votes(db, [1], ())[1])
    assert why == {
        "answers": 4,
        "against": 3,
        "runs": [
            {"run": 1, "model": "m1", "answers": 3, "against": 2, "orders": 2, "lead": 5.0},
            {"run": 2, "model": "m2", "answers": 1, "against": 1, "orders": 1, "lead": None},
        ],
    }
    assert why_json(votes(db, [1], (2,))[1])["answers"] == 1


def test_an_audit_is_the_same_for_the_same_seed_and_differs_for_another(db: Database, judge: Judge) -> None:
    for pair in range(60):
        judge(pair)
    first = make(db, "audit_accepted", size=20, seed=7)
    assert len(set(first)) == 20
    assert make(db, "audit_accepted", size=20, seed=7) == first
    assert make(db, "audit_accepted", size=20, seed=8) != first


def test_a_queue_of_a_filter_keeps_its_order_and_no_item_twice(db: Database, judge: Judge) -> None:
    a, b, c = (judge(pair) for pair in range(3))
    queue = Queues(db).make(NewQueue(kind="filter", title=" by\nmargin "), created_by="ann", ids=iter([c, a, c, b]))
    assert ids_of(db, queue) == [c, a, b]
    assert (queue.items, queue.title) == (3, "by margin")


def test_a_queue_made_for_a_look_is_not_listed(db: Database, judge: Judge) -> None:
    number = judge(1)
    queues = Queues(db)
    kept = queues.make(NewQueue(kind="filter", title="a"), created_by="ann", ids=[number])
    look = queues.make(NewQueue(kind="filter", title="b", listed=False), created_by="ann", ids=[number])
    assert [queue.id for queue in queues.newest()] == [kept.id]
    assert queues.get(look.id).items == 1


def test_a_queue_is_cut_off_and_says_so(db: Database, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    for pair in range(5):
        judge(pair)
    monkeypatch.setattr(module, "MOST_ITEMS", 3)
    monkeypatch.setattr(module, "_CHUNK", 2)
    queue = Queues(db).make(NewQueue(kind="unreviewed", title="t"), created_by="a")
    assert (queue.items, queue.spec["cut_off"]) == (3, True)


def test_a_queue_that_cannot_be_made_leaves_nothing(db: Database, judge: Judge) -> None:
    judge(1)

    def broken() -> Sequence[int]:
        yield from (1, 2)  # type: ignore[misc]

    with pytest.raises(Exception, match=r"(?i)foreign key"):
        Queues(db).make(NewQueue(kind="filter", title="t"), created_by="ann", ids=broken())
    assert Queues(db).newest() == []
    with db.read() as connection:
        assert connection.execute(select(func.count()).select_from(queue_items)).scalar_one() == 0


def test_two_reviewers_are_never_handed_the_same_item(forty: tuple[Queues, QueueRow]) -> None:
    queues, queue = forty
    handed: dict[str, list[int]] = {"ann": [], "bob": []}
    gate = threading.Barrier(2)

    def ask(name: str) -> None:
        gate.wait()
        for _ in range(3):
            start = handed[name][-1] + 1 if handed[name] else 0
            handed[name] += positions(queues.hand_out(queue, name, start=start, count=5))

    threads = [threading.Thread(target=ask, args=(name,)) for name in handed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handed["ann"]) == len(handed["bob"]) == 15
    assert not set(handed["ann"]) & set(handed["bob"])


def test_a_reviewer_is_handed_their_own_items_again(forty: tuple[Queues, QueueRow]) -> None:
    queues, queue = forty
    first = positions(queues.hand_out(queue, "ann", start=0, count=5))
    assert positions(queues.hand_out(queue, "ann", start=0, count=5)) == first


def test_items_of_a_reviewer_who_left_become_free(forty: tuple[Queues, QueueRow], db: Database) -> None:
    queues, queue = forty
    queues.hand_out(queue, "ann", start=0, count=5)
    assert positions(queues.hand_out(queue, "bob", start=0, count=2))[0] == 5
    with db.write() as connection:
        connection.execute(update(queue_claims).values(expires_at=1.0))
    assert positions(queues.hand_out(queue, "bob", start=0, count=2)) == [0, 1]


def test_a_browser_that_died_keeps_its_pairs_for_minutes_and_a_page_behind_another_longer(
    forty: tuple[Queues, QueueRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues, queue = forty
    queues.hand_out(queue, "ann", start=0, count=5)
    queues.hand_out(queue, "bob", start=0, count=5)
    queues.renew(queue, "bob", away=True)
    later = time.time() + 180
    monkeypatch.setattr(time, "time", lambda: later)
    assert positions(queues.hand_out(queue, "cleo", start=0, count=6)) == [0, 1, 2, 3, 4, 10]


def test_leaving_the_page_gives_back_only_what_was_handed_out_before(forty: tuple[Queues, QueueRow]) -> None:
    queues, queue = forty
    early = queues.hand_out(queue, "ann", start=0, count=2)
    queues.hand_out(queue, "ann", start=2, count=2)
    queues.release(queue, "ann", early.expires_at)
    assert positions(queues.hand_out(queue, "bob", start=0, count=3)) == [0, 1, 4]


def test_near_the_end_a_second_reviewer_still_finds_something(forty: tuple[Queues, QueueRow]) -> None:
    queues, queue = forty
    first = positions(queues.hand_out(queue, "ann", start=0, count=40))
    second = positions(queues.hand_out(queue, "bob", start=0, count=40))
    assert first == list(range(10))
    assert second[0] == 10


def test_one_ruling_takes_an_item_out_for_everybody(forty: tuple[Queues, QueueRow]) -> None:
    queues, queue = forty
    slot = queues.hand_out(queue, "ann", start=0, count=1).slots[0]
    queues.rule("ann", [sent(queue, 0, slot.prediction_id, "t1")])
    for name in ("ann", "bob"):
        assert 0 not in positions(queues.hand_out(queue, name, start=0, count=5))
    assert queues.progress(queue, "ann")[:2] == (1, 1)
    assert queues.progress(queue, "bob")[:2] == (1, 0)


def test_two_independent_rulings_are_by_two_reviewers(db: Database, judge: Judge) -> None:
    number = judge(1)
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="unreviewed", title="two", rulings_wanted=2), created_by="ann")
    assert positions(queues.hand_out(queue, "ann", start=0, count=9)) == [0]
    assert positions(queues.hand_out(queue, "bob", start=0, count=9)) == [0]
    assert positions(queues.hand_out(queue, "cid", start=0, count=9)) == []
    queues.rule("ann", [sent(queue, 0, number, "a1")])
    queues.rule("ann", [sent(queue, 0, number, "a2", ruling="reject")])
    assert queues.progress(queue, "ann")[0] == 0
    assert positions(queues.hand_out(queue, "ann", start=0, count=9)) == []
    queues.rule("bob", [sent(queue, 0, number, "b1")])
    assert queues.progress(queue, "ann")[0] == 1


def test_a_ruling_sent_again_changes_nothing(forty: tuple[Queues, QueueRow], db: Database) -> None:
    queues, queue = forty
    number = ids_of(db, queue)[0]
    ruling = sent(queue, 0, number, "t1")
    undo = sent(queue, 0, number, "t2", ruling="undo", undoes="t1")
    assert queues.rule("ann", [ruling, undo]) == (["t1", "t2"], [])
    # The answer was lost: the browser sends both again, and then only the first.
    assert queues.rule("ann", [ruling, undo]) == (["t1", "t2"], [])
    assert queues.rule("ann", [ruling]) == (["t1"], [])
    assert len(Rulings(db).history(number)) == 2
    assert queues.progress(queue, "ann")[:2] == (0, 0)


def test_a_refused_ruling_does_not_hold_up_its_neighbours(forty: tuple[Queues, QueueRow], db: Database) -> None:
    queues, queue = forty
    numbers = ids_of(db, queue)
    stored, refused = queues.rule(
        "ann",
        [
            sent(queue, 0, numbers[0], "t1"),
            sent(queue, 1, numbers[2], "wrong-place"),
            sent(queue, 1, numbers[1], "nonsense", ruling="maybe"),
            sent(queue, 99, 99, "nowhere"),
            sent(queue, 1, numbers[1], "t2", ruling="relabel", relabel="second"),
        ],
    )
    assert stored == ["t1", "t2"]
    assert [token for token, _ in refused] == ["wrong-place", "nonsense", "nowhere"]
    with db.read() as connection:
        assert connection.execute(select(func.count()).select_from(reviews)).scalar_one() == 2


def test_undo_takes_back_the_named_ruling_and_not_somebody_elses(db: Database, judge: Judge) -> None:
    number = judge(1, answer="second")
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="unreviewed", title="two", rulings_wanted=2), created_by="ann")
    queues.rule("ann", [sent(queue, 0, number, "a1", ruling="reject")])
    queues.rule("bob", [sent(queue, 0, number, "b1", ruling="accept")])
    queues.rule("ann", [sent(queue, 0, number, "a2", ruling="undo", undoes="a1")])
    with db.read() as connection:
        state = connection.execute(select(verdicts.c.ruling, verdicts.c.effective)).one()
    assert tuple(state) == ("accept", "accepted")
    assert positions(queues.hand_out(queue, "ann", start=0, count=1)) == [0]
    assert positions(queues.hand_out(queue, "bob", start=0, count=1)) == []
    assert queues.rule("ann", [sent(queue, 0, number, "a3", ruling="undo", undoes="a1")])[0] == []


def test_what_one_person_says_is_never_shown_under_anothers_name(db: Database, judge: Judge) -> None:
    number = judge(1)
    rulings = Rulings(db)

    def shown() -> tuple[str | None, str | None, str | None]:
        item = Items(db).get([number])[number]
        [hit] = Browse(db).page(BrowseFilter())
        assert (hit.ruling, hit.relabel, hit.reviewer) == (item.ruling, item.relabel, item.reviewer)
        return item.ruling, item.relabel, item.reviewer

    rulings.add(number, "relabel", relabel="first", reviewer="ann")
    assert shown() == ("relabel", "first", "ann")
    rulings.add(number, "relabel", relabel="second", reviewer="bob")
    rulings.add(number, "flag", reviewer="ann")
    assert shown() == ("relabel", "second", "bob")
    rulings.add(number, "accept", reviewer="ann")
    assert shown() == ("accept", None, "ann")
    for _ in range(3):
        rulings.add(number, "undo", reviewer="ann")
    assert shown() == ("relabel", "first", "ann")
    rulings.add(number, "undo", reviewer="ann")
    assert shown() == (None, None, None)


def test_an_exported_undo_is_imported_as_of_the_same_ruling(db: Database, judge: Judge) -> None:
    number = judge(1, answer="second")
    rulings = Rulings(db)
    rulings.add(number, "reject", reviewer="ann")
    rulings.add(number, "accept", reviewer="bob", token="b")
    with db.write() as connection:
        first = rulings.history(number)[0]
        connection.execute(update(reviews).where(reviews.c.id == first.id).values(token="a"))
        rulings.add_within(connection, number, "undo", reviewer="ann", undoes="a")
    rows = list(RulingRows(db).iter_export(1))
    with db.write() as connection:
        connection.execute(update(reviews).values(undoes=None))
        connection.execute(reviews.delete())
        connection.execute(update(verdicts).values(ruling=None, effective=verdicts.c.decision))
    RulingRows(db).import_rows(1, rows)
    with db.read() as connection:
        assert connection.execute(select(verdicts.c.effective)).scalar_one() == "accepted"


def test_a_ruled_item_can_be_looked_at_again(forty: tuple[Queues, QueueRow], db: Database) -> None:
    queues, queue = forty
    numbers = ids_of(db, queue)
    queues.rule("ann", [sent(queue, place, numbers[place], f"t{place}") for place in range(3)])
    again = queues.hand_out(queue, "ann", start=1, count=2, exact=True)
    assert positions(again) == [1, 3, 4]
    assert [slot.mine for slot in again.slots] == [True, False, False]
    back = queues.ruled_before(queue, "ann", position=2, count=10)
    assert [slot.position for slot in back] == [0, 1]
    assert queues.ruled_before(queue, "bob", position=2, count=10) == []


def test_an_item_on_another_screen_is_not_shown_on_request(forty: tuple[Queues, QueueRow]) -> None:
    queues, queue = forty
    queues.hand_out(queue, "ann", start=0, count=5)
    assert positions(queues.hand_out(queue, "bob", start=2, count=1, exact=True)) == [5]


def test_dropping_a_queue_keeps_its_rulings(forty: tuple[Queues, QueueRow], db: Database) -> None:
    queues, queue = forty
    number = ids_of(db, queue)[0]
    queues.rule("ann", [sent(queue, 0, number, "t1")])
    queues.drop(queue.id)
    with pytest.raises(NotFound):
        queues.get(queue.id)
    assert [row.ruling for row in Rulings(db).history(number)] == ["accept"]


def test_items_carry_pair_verdict_and_the_other_predictions_of_the_pair(db: Database, judge: Judge) -> None:
    a = judge(1, text="<think>x</think>")
    b = judge(1, order="swapped", answer="second")
    judge(1, run=2)
    c = judge(2)
    found = Items(db).get([a, c, 999])
    assert set(found) == {a, c}
    assert (found[a].prompt, found[a].text, found[a].model) == ("caption 1", "<think>x</think>", "m1")
    assert [(one.id, one.order) for one in found[a].siblings] == [(a, "dataset"), (b, "swapped")]
    assert [one.id for one in found[c].siblings] == [c]


def test_queues_that_are_done_or_closed_take_no_place_from_open_ones(db: Database, judge: Judge) -> None:
    a, b = judge(1), judge(2)
    queues, rows = Queues(db), QueueRows(db)
    made = [queues.make(NewQueue(kind="filter", title=str(n)), created_by="ann", ids=[a, b]) for n in range(6)]
    old, older, done, also_done, closed, newest = made
    for queue in (done, also_done):
        queues.rule("ann", [sent(queue, 0, a, f"{queue.id}a"), sent(queue, 1, b, f"{queue.id}b")])
    queues.set_closed(closed, True)
    assert rows.newest(limit=2) == [newest, older, replace(closed, closed=True), replace(also_done, done=2)]
    assert [queue.id for queue in queues.newest()] == [newest.id, older.id, old.id, closed.id, also_done.id, done.id]
    queues.set_closed(closed, False)
    assert [queue.id for queue in rows.newest(limit=2) if queue.open] == [newest.id, closed.id]
