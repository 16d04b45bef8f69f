"""Rulings that come at the same time, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import select

from backend.curation.bulk import BulkRulings
from backend.curation.queues import NewQueue, Queues, Sent
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.domain.filtering import PRESETS
from backend.domain.rulings import SETTLING, effective_decision
from backend.errors import ReviewError, WinnowError
from backend.inference.deciding import redecide
from backend.store.database import Database
from backend.store.queues import QueueRow
from backend.store.schema import queue_items, reviews, verdicts
from backend.store.together import write_together
from tests.integration.judged import fill

PREDICTIONS = 40
THREADS = 4


@pytest.fixture
def judged(database: Database) -> Database:
    """Run 1 with forty predictions, every other one of which agrees with the label."""
    fill(database, [("dataset", "first"), ("dataset", "second")] * (PREDICTIONS // 2))
    return database


@pytest.fixture
def queue(judged: Database) -> QueueRow:
    new = NewQueue(kind="unreviewed", title="all", rulings_wanted=2)
    return Queues(judged).make(new, created_by="ann")


def at_once(works: Sequence[Callable[[], object]]) -> list[object]:
    """What each of these returns or raises, all begun at the same moment in threads of their own."""
    begin = threading.Barrier(len(works))
    found: list[object] = [None] * len(works)

    def run(number: int) -> None:
        begin.wait()
        try:
            found[number] = works[number]()
        except Exception as error:  # noqa: BLE001
            found[number] = error

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def unlike_the_newest(database: Database) -> Iterator[tuple[int, object, object]]:
    """The predictions that another decision is in force on than their newest ruling says."""
    newest: dict[int, tuple[str | None, ...]] = {}
    with database.read() as connection:
        undone = set(connection.scalars(select(reviews.c.undoes)))
        for row in connection.execute(select(reviews).order_by(reviews.c.id)):
            if row.ruling in SETTLING and row.id not in undone:
                newest[row.prediction_id] = (row.ruling, row.reviewer, row.relabel)
        rows = connection.execute(select(verdicts)).all()
    for row in rows:
        ruling, reviewer, relabel = newest.get(row.prediction_id, (None, None, None))
        effective = effective_decision(row.decision, row.answer, ruling, relabel)
        expected = (ruling, reviewer, effective)
        if (row.ruling, row.reviewer, row.effective) != expected:
            yield row.prediction_id, (row.ruling, row.reviewer, row.effective), expected


def test_the_newest_of_rulings_at_once_is_the_one_in_force(judged: Database) -> None:
    rulings = Rulings(judged)

    def reviewer(number: int) -> Callable[[], object]:
        def work() -> None:
            for prediction in range(1, PREDICTIONS + 1):
                rulings.add(prediction, "reject" if (number + prediction) % 2 else "flag", reviewer=f"r{number}")
                rulings.add(prediction, "relabel", relabel="second" if number % 2 else "first", reviewer=f"r{number}")

        return work

    assert at_once([reviewer(number) for number in range(THREADS)]) == [None] * THREADS
    assert list(unlike_the_newest(judged)) == []


def test_rooms_acts_imports_and_undos_at_once_neither_fail_nor_contradict_the_newest_ruling(
    judged: Database, queue: QueueRow
) -> None:
    everything = list(range(1, PREDICTIONS + 1))
    with judged.read() as connection:
        rows = Queues(judged)
        places = dict(connection.execute(select(queue_items.c.position, queue_items.c.prediction_id)).all())

    def room(name: str, positions: Sequence[int]) -> None:
        sent = [
            Sent(
                token=f"{name}-{position}",
                queue_id=queue.id,
                position=position,
                prediction_id=places[position],
                ruling="relabel",
                relabel="first",
            )
            for position in positions
        ]
        for start in range(0, PREDICTIONS, 20):
            stored, refused = rows.rule(name, sent[start : start + 20])
            assert (len(stored), refused) == (20, [])

    def act() -> None:
        BulkRulings(judged).add(everything[::-1], "reject", reviewer="eve", token="act")
        BulkRulings(judged).undo("act", reviewer="eve")

    def imported() -> None:
        lines = [{"index": one - 1, "ruling": "reject", "reviewer": "file"} for one in everything]
        assert RulingRows(judged).import_rows(1, lines[::-1]) == PREDICTIONS

    def decided() -> None:
        for name in ("one-per-pair", "agreement") * 3:
            redecide(judged, 1, PRESETS[name], PREDICTIONS)

    forward, backward = range(PREDICTIONS), range(PREDICTIONS - 1, -1, -1)
    works = [lambda: room("ann", forward), lambda: room("bob", backward), act, imported, decided]
    assert at_once(works) == [None] * len(works)
    assert list(unlike_the_newest(judged)) == []
    # Each of the two ruled on each item, and the queue counts both.
    assert rows.progress(queue, "ann")[1] == rows.progress(queue, "bob")[1] == PREDICTIONS


def test_an_undo_while_the_run_is_decided_anew_leaves_the_new_decision_in_force(judged: Database) -> None:
    rulings = Rulings(judged)
    for prediction in range(1, PREDICTIONS + 1):
        rulings.add(prediction, "relabel", relabel="first", reviewer="ann")

    def undo() -> None:
        for prediction in range(1, PREDICTIONS + 1):
            rulings.add(prediction, "undo", reviewer="ann")

    def decided() -> None:
        redecide(judged, 1, PRESETS["order-consistent"], PREDICTIONS)

    assert at_once([undo, decided]) == [None, None]
    assert list(unlike_the_newest(judged)) == []


def test_one_token_sent_eight_times_at_once_is_one_ruling_and_eight_acknowledgements(
    judged: Database, queue: QueueRow
) -> None:
    queues = Queues(judged)
    [slot, *_] = queues.hand_out(queue, "ann", start=0, count=1).slots
    one = Sent(
        token="same", queue_id=queue.id, position=slot.position, prediction_id=slot.prediction_id, ruling="accept"
    )
    assert at_once([lambda: queues.rule("ann", [one])] * 8) == [(["same"], [])] * 8
    rulings = Rulings(judged)
    added = at_once([lambda: rulings.add(9, "accept", reviewer="ann", token="own").id] * 8)
    assert len(set(added)) == 1
    assert len(rulings.history(slot.prediction_id)) == len(rulings.history(9)) == 1


def test_one_token_for_two_predictions_at_once_is_one_ruling_and_one_refusal(judged: Database) -> None:
    rulings = Rulings(judged)
    works = [lambda number=number: rulings.add(number, "flag", reviewer="ann", token="t").id for number in (1, 3, 5, 7)]
    found = at_once(works)
    assert sum(isinstance(one, int) for one in found) == 1
    assert sum(isinstance(one, ReviewError) and "belongs to" in str(one) for one in found) == 3


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("note", {"note": "a\0b"}),
        ("note", {"note": "a\ud800"}),
        ("tag 2", {"tags": ("fine", "\0")}),
        ("tag 1", {"tags": ("\udfff",)}),
        ("token", {"token": "t\0"}),
    ],
)
def test_a_ruling_with_a_character_that_no_database_stores_is_refused_alone_and_names_the_field(
    judged: Database, queue: QueueRow, field: str, wrong: dict[str, object]
) -> None:
    queues = Queues(judged)
    slots = queues.hand_out(queue, "ann", start=0, count=8).slots
    sent = [
        Sent(
            **{
                "token": f"t{slot.position}",
                "queue_id": queue.id,
                "position": slot.position,
                "prediction_id": slot.prediction_id,
                "ruling": "flag",
                **(wrong if slot is slots[1] else {}),
            }
        )
        for slot in slots[:3]
    ]
    stored, [(token, reason)] = queues.rule("ann", sent)
    assert (stored, token) == (["t0", "t2"], sent[1].token)
    assert field in reason.message and reason.hint
    with pytest.raises(ReviewError, match=field):
        Rulings(judged).add(2, "flag", reviewer="ann", **{"token": None, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ReviewError, match="name"):
        Rulings(judged).add(2, "flag", reviewer="a\0")
    assert BulkRulings(judged).add([2], "flag", reviewer="ann") == 1


def test_work_that_fails_takes_nothing_of_its_neighbours_with_it(judged: Database) -> None:
    rulings = Rulings(judged)

    def good(number: int) -> Callable[[], object]:
        return lambda: rulings.add(number, "flag", reviewer="ann").ruling

    def bad() -> None:
        def work(connection: object) -> None:
            rulings.add_within(connection, 30, "flag", reviewer="eve")  # type: ignore[arg-type]
            raise ValueError("broken")

        write_together(judged, work)

    found = at_once([work for number in range(1, 9) for work in (good(number), bad)])
    assert found[::2] == ["flag"] * 8
    assert {str(one) for one in found[1::2]} == {"broken"}
    assert rulings.history(30) == []
    assert not any(isinstance(one, WinnowError) for one in found)
