"""Freezing in chunks, balance, previews and differences."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from backend.curation import sets as freezing
from backend.curation.preview import preview
from backend.curation.sets import Balance, freeze, get_set, list_sets
from backend.errors import NotFound, ReviewError
from backend.store.previews import Previews
from backend.store.schema import curated_sets, set_items
from backend.store.sets import Sets
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return build_workspace(tmp_path / "ws", videos=2)


def answers(space: Workspace, set_id: int) -> Counter[str]:
    return Counter(item.answer for item in Sets(space.database).iter_items(set_id))


def test_a_ruling_gets_in_while_a_set_is_being_frozen(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "CHUNK", 4)
    stored: list[int] = []

    def reviewer(_done: int) -> None:
        if not stored:
            # On a thread of its own, as in the dashboard; with one long transaction it would hang.
            thread = threading.Thread(
                target=lambda: stored.append(space.rulings.add(25, "reject", reviewer="ada").id)
            )
            thread.start()
            thread.join(timeout=20)

    frozen = freeze(space.database, "s", [2], progress=reviewer)
    assert stored
    # The set is what was accepted when freezing began.
    ids = {item.prediction_id for item in Sets(space.database).iter_items(frozen.id)}
    assert 25 in ids
    assert frozen.counts["items"] == len(ids)


def test_a_crash_while_freezing_leaves_no_set_and_the_next_freeze_clears_up(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "CHUNK", 4)

    def crash(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        freeze(space.database, "s", [2], progress=crash)
    assert list_sets(space.database) == []
    with pytest.raises(NotFound):
        get_set(space.database, "s")
    with space.database.write() as connection:
        # What a power cut would have left behind, two days ago.
        left, _ = Sets(space.database).add(connection, "s", {})
        connection.execute(curated_sets.update().values(created_at=1.0))
        Sets(space.database).add_items(
            connection,
            [{"set_id": left, "position": 0, "prediction_id": 1, "answer": "first",
              "basis": "filter", "review_id": None}],
        )  # fmt: skip
    frozen = freeze(space.database, "s", [2])
    with space.database.read() as connection:
        assert connection.execute(select(curated_sets.c.id)).scalars().all() == [frozen.id]
        assert set(connection.execute(select(set_items.c.set_id)).scalars()) == {frozen.id}


def test_a_balanced_set_has_as_many_of_each_answer_and_the_same_ones_each_time(
    space: Workspace,
) -> None:
    plain = answers(space, freeze(space.database, "all", [1, 2]).id)
    assert plain["first"] != plain["second"]
    fewest = min(plain.values())
    one = freeze(space.database, "even", [1, 2], balance=Balance(seed=3))
    assert answers(space, one.id) == {"first": fewest, "second": fewest}
    assert one.lineage["balance"] == {"by": "position", "seed": 3}
    assert one.counts["left_out"] == plain.total() - 2 * fewest
    assert freeze(space.database, "even", [1, 2], balance=Balance(seed=3)).version == one.version
    other = freeze(space.database, "even", [1, 2], balance=Balance(seed=4))
    assert other.content_hash != one.content_hash


def test_balancing_what_has_one_answer_only_leaves_nothing(space: Workspace) -> None:
    with pytest.raises(ReviewError):
        freeze(space.database, "even", [3], balance=Balance())


def test_a_preview_counts_what_freezing_takes(space: Workspace) -> None:
    space.rulings.add(26, "accept", reviewer="ada")
    seen = preview(space.database, [1, 2])
    frozen = freeze(space.database, "s", [1, 2])
    assert seen.items == frozen.counts["items"]
    assert seen.answers == dict(answers(space, frozen.id))
    assert seen.by_ruling == frozen.counts["by_accept"] == 1
    balanced = freeze(space.database, "even", [1, 2], balance=Balance())
    assert seen.balanced_items == balanced.counts["items"]
    assert seen.captions[0] == 24
    assert seen.winners[0].name == "painter-a", "the better one of each pair is by that generator"


def test_the_difference_of_two_versions_names_what_came_and_went(space: Workspace) -> None:
    before = freeze(space.database, "s", [1])
    ids = [item.prediction_id for item in Sets(space.database).iter_items(before.id)]
    space.rulings.add(ids[0], "reject", reviewer="ada")
    rejected = next(
        row["id"] for row in space.predictions.iter_rows(1, decision="rejected") if row["answer"]
    )
    space.rulings.add(rejected, "accept", reviewer="ada")
    after = freeze(space.database, "s", [1])
    reading = Previews(space.database)
    assert reading.difference(before.id, after.id) == {
        "shared": len(ids) - 1, "relabelled": 0, "removed": 1, "added": 1,
    }  # fmt: skip
    assert [row.prediction_id for row in reading.only_in(before.id, after.id)] == [ids[0]]
    assert [row.prediction_id for row in reading.only_in(after.id, before.id)] == [rejected]
