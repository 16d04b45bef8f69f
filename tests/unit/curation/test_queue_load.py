"""What a queue costs its reviewers: no write where nothing changes, figures made once for all."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, event

from backend.curation import audit as module
from backend.curation.audit import audit
from backend.curation.queues import Queues, Sent
from backend.store.audits import Audits, QueueRuling
from backend.store.database import Database
from backend.store.queues import QueueRow


def rule_on(queues: Queues, queue: QueueRow, reviewer: str, count: int) -> None:
    slots = queues.hand_out(queue, reviewer, start=0, count=count).slots[:count]
    sent = [
        Sent(
            token=f"{reviewer}{slot.position}",
            queue_id=queue.id,
            position=slot.position,
            prediction_id=slot.prediction_id,
            ruling="reject",
        )
        for slot in slots
    ]
    assert queues.rule(reviewer, sent) == ([one.token for one in sent], [])


def test_a_page_that_asks_for_what_it_has_or_at_the_end_of_a_queue_writes_nothing(
    db: Database, forty: tuple[Queues, QueueRow]
) -> None:
    queues, queue = forty
    for _ in range(5):
        rule_on(queues, queue, "ann", 40)
    assert queues.progress(queue, "ann") == (40, 40, 0)
    written = []

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("winnow_write"):
            written.append(connection)

    event.listen(db.engine, "begin", begin)
    assert queues.hand_out(queue, "bob", start=0, count=20).slots == []
    queues.renew(queue, "ann")
    assert written == []


def test_a_second_sign_of_life_writes_nothing_and_a_page_behind_another_does(
    db: Database, forty: tuple[Queues, QueueRow]
) -> None:
    queues, queue = forty
    queues.hand_out(queue, "ann", start=0, count=10)
    written = []

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("winnow_write"):
            written.append(connection)

    event.listen(db.engine, "begin", begin)
    for _ in range(3):
        assert queues.renew(queue, "ann") > 0
    assert written == []
    queues.renew(queue, "ann", away=True)
    assert len(written) == 1
    queues.renew(queue, "ann")
    assert len(written) == 2


def test_figures_of_many_rulings_are_made_once_for_all_reviewers_and_of_few_at_each_call(
    db: Database, forty: tuple[Queues, QueueRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues, queue = forty
    counted = []
    count = Audits.counted

    def counting(self: Audits, of: QueueRow) -> list[QueueRuling]:
        counted.append(of.id)
        return count(self, of)

    monkeypatch.setattr(Audits, "counted", counting)
    rule_on(queues, queue, "ann", 8)
    assert [audit(db, queue, name)["rulings"] for name in ("ann", "bob")] == [8, 8]
    assert len(counted) == 2
    monkeypatch.setattr(module, "_QUICK", 4)
    monkeypatch.setattr(module, "_LEAST_KEPT_S", 1e6)
    for _ in range(3):
        assert [audit(db, queue, name)["rulings"] for name in ("ann", "bob")] == [8, 8]
    assert len(counted) == 3
