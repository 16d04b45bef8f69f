"""Statistics over the rulings of a queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.curation.audit import Share, audit, reviewer_agreement
from backend.curation.queues import NewQueue, Queues, Sent
from backend.store.database import Database
from backend.store.queues import QueueRow

Judge = Callable[..., int]


def rule(queues: Queues, queue: QueueRow, who: str, place: int, number: int, ruling: str, **more: str) -> None:
    _, refused = queues.rule(
        who,
        [
            Sent(
                token=f"{who}{place}{ruling}{more}",
                queue_id=queue.id,
                position=place,
                prediction_id=number,
                ruling=ruling,
                **more,
            )
        ],
    )  # type: ignore[arg-type]
    assert not refused


def test_each_share_counts_the_rulings_that_tell(db: Database, judge: Judge) -> None:
    accepted = [judge(pair) for pair in range(4)]
    wrong = judge(9, answer="second")
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="filter", title="t"), created_by="ann", ids=[*accepted, wrong])
    rule(queues, queue, "ann", 0, accepted[0], "accept")
    rule(queues, queue, "ann", 1, accepted[1], "reject")
    rule(queues, queue, "ann", 2, accepted[2], "relabel", relabel="second")
    rule(queues, queue, "ann", 3, accepted[3], "flag")
    rule(queues, queue, "ann", 4, wrong, "relabel", relabel="second")
    found = audit(db, queue, "ann")
    counted = {name: (found[name]["hits"], found[name]["n"]) for name in ("precision", "rejection", "judge", "label")}
    assert counted == {
        "precision": (1, 3),  # accept; not reject, not relabel to the other side; a flag is none
        "rejection": (0, 1),  # the person sides with the judge against the label
        "judge": (2, 4),
        "label": (1, 3),  # the rejection does not tell
    }


def test_a_tie_that_a_person_confirms_is_not_kept(db: Database, judge: Judge) -> None:
    tie = judge(1, answer="tie", label="tie")
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="unreviewed", title="t"), created_by="ann")
    rule(queues, queue, "ann", 0, tie, "relabel", relabel="tie")
    found = audit(db, queue, "ann")
    assert (found["precision"]["hits"], found["precision"]["n"]) == (0, 1)
    assert (found["judge"]["hits"], found["label"]["hits"]) == (1, 1)


def test_only_the_newest_ruling_in_force_counts(db: Database, judge: Judge) -> None:
    number = judge(1)
    queues = Queues(db)
    queue = queues.make(NewQueue(kind="unreviewed", title="t"), created_by="ann")
    rule(queues, queue, "ann", 0, number, "reject")
    rule(queues, queue, "ann", 0, number, "accept")
    assert audit(db, queue, "ann")["precision"]["hits"] == 1
    rule(queues, queue, "ann", 0, number, "undo")
    assert audit(db, queue, "ann")["precision"] == {**audit(db, queue, "ann")["precision"], "hits": 0, "n": 1}


def test_the_next_goal_is_the_nearest_interval_not_yet_reached() -> None:
    assert Share.of([]).more() is None
    few = Share.of([True] * 10 + [False] * 10).more()
    many = Share.of([True] * 150 + [False] * 50).more()
    assert few is not None
    assert many is not None
    assert (few[1], many[1]) == (0.10, 0.05)
    assert Share.of([True] * 4000 + [False] * 100).more() is None


def test_alpha_tells_perfect_from_chance_and_has_an_interval() -> None:
    perfect = reviewer_agreement([[True, True], [False, False]] * 20)
    chance = reviewer_agreement([[True, True], [True, False], [False, True], [False, False]] * 20)
    assert perfect.alpha == pytest.approx(1.0)
    assert (perfect.low, perfect.high) == (pytest.approx(1.0), pytest.approx(1.0))
    assert chance.alpha == pytest.approx(0.0, abs=0.05)
    assert chance.low is not None
    assert chance.high is not None
    assert chance.low < 0 < chance.high
    assert (chance.items, chance.same) == (80, 40)


def test_alpha_is_undefined_where_all_rulings_are_alike_or_by_one_reviewer() -> None:
    assert reviewer_agreement([[True, True]] * 5).alpha is None
    assert reviewer_agreement([[True], [False]]).items == 0
