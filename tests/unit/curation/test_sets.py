"""Freezing in chunks, balance, previews and differences."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from backend.curation import sets as freezing
from backend.curation.preview import preview
from backend.curation.rulings import Rulings
from backend.curation.sets import Balance, freeze, get_set, list_sets
from backend.errors import NotFound, ReviewError
from backend.store.database import Database
from backend.store.previews import Previews
from backend.store.schema import curated_sets, pairs, set_items, verdicts
from backend.store.sets import Sets
from backend.training.base import Tools
from backend.training.launch import TrainingLauncher
from backend.workspace import Workspace
from tests.workspaces import build_workspace

GIVEN = {"trainer": "local", "model": "m", "output_dir": "o"}


@pytest.fixture
def space(tmp_path: Path, either_url: str | None) -> Workspace:
    return build_workspace(tmp_path / "ws", videos=2, url=either_url)


def answers(space: Workspace, set_id: int) -> Counter[str]:
    return Counter(item.answer for item in Sets(space.database).iter_items(set_id))


def test_a_ruling_gets_in_while_a_set_is_being_frozen(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "CHUNK", 4)
    stored: list[int] = []

    def reviewer(_done: int) -> None:
        if not stored:
            # On a thread of its own, as in the dashboard; with one long transaction it would hang.
            thread = threading.Thread(target=lambda: stored.append(space.rulings.add(25, "reject", reviewer="ada").id))
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
        # What an older Winnow would have left behind at a power cut, two days ago.
        left = Sets(space.database).add(connection, "s", {}, {})
        connection.execute(curated_sets.update().values(created_at=1.0, freezing=None, version=1))
        Sets(space.database).add_items(
            connection,
            [
                {
                    "set_id": left,
                    "position": 0,
                    "prediction_id": 1,
                    "answer": "first",
                    "basis": "filter",
                    "review_id": None,
                }
            ],
        )
    frozen = freeze(space.database, "s", [2])
    assert frozen.version == 1
    with space.database.read() as connection:
        assert connection.execute(select(curated_sets.c.id)).scalars().all() == [frozen.id]
        assert set(connection.execute(select(set_items.c.set_id)).scalars()) == {frozen.id}


def test_a_balanced_set_has_as_many_of_each_answer_and_the_same_ones_each_time(space: Workspace) -> None:
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


@pytest.fixture(scope="module")
def shared_space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for all examples of a property; what they rule stays."""
    return build_workspace(tmp_path_factory.mktemp("preview") / "ws", images=16, videos=4)


@settings(max_examples=25, deadline=None)
@given(
    runs=st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=4),
    seed=st.none() | st.integers(-5, 2**40),
    ruled=st.lists(
        st.tuples(st.integers(1, 84), st.sampled_from(["accept", "reject", "first", "second", "tie"])), max_size=6
    ),
)
def test_a_preview_shows_what_is_frozen_in_every_number(
    shared_space: Workspace, runs: list[int], seed: int | None, ruled: list[tuple[int, str]]
) -> None:
    space, balance = shared_space, None if seed is None else Balance(seed)
    for number, said in ruled:
        side = {} if said in ("accept", "reject") else {"relabel": said}
        with suppress(ReviewError):  # what names no side cannot be accepted
            space.rulings.add(number, "relabel" if side else said, reviewer="ada", **side)
    seen = preview(space.database, runs, balance=balance)
    try:
        frozen = freeze(space.database, f"s{uuid4().hex}", runs, balance=balance)
    except ReviewError:
        assert (seen.items, seen.answers, seen.captions[1]) == (0, {}, 0)
        return
    items = list(Sets(space.database).iter_items(frozen.id))
    assert seen.items == len(items) == frozen.counts["items"]
    assert seen.left_out == frozen.counts.get("left_out", 0)
    assert seen.answers == dict(Counter(item.answer for item in items))
    assert seen.kinds == dict(Counter(item.kind for item in items))
    assert seen.by_ruling == sum(frozen.counts.get(f"by_{how}", 0) for how in ("accept", "relabel"))
    assert seen.captions[1] == len({(item.dataset_id, item.key) for item in items})
    assert seen.caption_length[1] == pytest.approx(fmean(len(item.prompt) for item in items))
    leads = defaultdict(list)
    for item in items:
        for name, first, second in item.scores["dimensions"]:
            leads[name.capitalize()].append(first - second if item.answer == "first" else second - first)
    assert seen.lead == pytest.approx({name: fmean(some) for name, some in leads.items()})
    # The first of each image pair, in dataset order, is by painter-a; videos name no generator.
    won = Counter(
        "painter-a" if (item.answer == "first") == (item.shown_order == "dataset") else "painter-b"
        for item in items
        if item.kind == "image"
    )
    assert {share.name: share.after for share in seen.winners if share.after} == dict(won)


def test_a_preview_says_what_was_there_before_the_filter(space: Workspace) -> None:
    seen = preview(space.database, [1, 2])
    assert seen.captions[0] == 24
    assert seen.winners[0].name == "painter-a", "the better one of each pair is by that generator"


def test_the_same_texts_about_exchanged_media_are_another_content(db: Database, judge: Callable[..., int]) -> None:
    for pair in range(3):
        judge(pair, run=1, order="dataset", answer="first", label="first")
        judge(pair, run=2, order="swapped", answer="first", label="second")
    straight, swapped = freeze(db, "s", [1]), freeze(db, "s", [2])
    # Answer, text and caption are alike; what "Image 1" was is not.
    assert straight.counts == swapped.counts
    assert straight.content_hash != swapped.content_hash
    assert (straight.version, swapped.version) == (1, 2)
    assert freeze(db, "s", [1]) == straight


def test_media_that_stand_the_other_way_round_in_the_file_are_the_same_content_once_shown_alike(
    db: Database, judge: Callable[..., int]
) -> None:
    judge(1, run=1, order="dataset", answer="first", label="first")
    judge(2, run=2, order="swapped", answer="first", label="second")
    with db.write() as connection:
        # The pair of run 2 is that of run 1, listed the other way round.
        other = {"prompt": "caption 1", "first_path": "1b.png", "second_path": "1a.png"}
        connection.execute(update(pairs).where(pairs.c.id == 2).values(**other))
    assert freeze(db, "s", [1]) == freeze(db, "s", [2])


def test_a_name_alone_means_the_newest_version_and_a_version_that_one(db: Database, judge: Callable[..., int]) -> None:
    made = []
    for pair in range(11):
        judge(pair)
        made.append(freeze(db, "s", [1]))
    freeze(db, "another", [1])
    assert [row.version for row in made] == list(range(1, 12))
    assert get_set(db, "s") == made[-1]
    assert [get_set(db, f"s@{row.version}") for row in made] == made
    launcher = TrainingLauncher(db, Path(), tools=Tools())
    assert [ref.version for ref in launcher.spec(["s"], **GIVEN).sets] == [11]
    older = launcher.spec(["s@2"], **GIVEN).sets
    assert [(ref.version, ref.content_hash) for ref in older] == [(2, made[1].content_hash)]
    for name in ("s@12", "s@0", "s@x", "S", "t"):
        with pytest.raises(NotFound, match="no set"):
            get_set(db, name)


def test_what_is_frozen_keeps_its_answer_when_the_text_is_read_otherwise_later(
    db: Database, judge: Callable[..., int]
) -> None:
    changed, kept = judge(1), judge(2)
    before = freeze(db, "s", [1])
    with db.write() as connection:
        # As reparsing with a newer reader does, or a policy that takes what disagrees.
        read_again = update(verdicts).where(verdicts.c.prediction_id == changed)
        connection.execute(read_again.values(answer="second"))
    sets = Sets(db)
    assert [item.answer for item in sets.iter_items(before.id)] == ["first", "first"]
    assert [item.answer for item in sets.shown(before.id)] == ["first", "first"]
    after = freeze(db, "s", [1])
    assert [item.answer for item in sets.iter_items(after.id)] == ["second", "first"]
    assert Previews(db).difference(before.id, after.id) == {"shared": 2, "relabelled": 1, "removed": 0, "added": 0}
    assert kept


def test_a_frozen_item_names_the_newest_ruling_for_it(db: Database, judge: Callable[..., int]) -> None:
    number = judge(1)
    made = [Rulings(db).add(number, "accept", reviewer=who).id for who in ("ada", "bob")]
    frozen = freeze(db, "s", [1])
    assert frozen.lineage["runs"][0]["newest_review"] == made[-1]
    with db.read() as connection:
        assert connection.execute(select(set_items.c.review_id)).scalar_one() == made[-1]


def test_a_tie_is_in_no_set_whatever_a_person_rules(db: Database, judge: Callable[..., int]) -> None:
    kept = judge(1)
    tie, side = judge(2, answer="tie", label="tie"), judge(3)
    judge(4, answer="tie", label="tie")  # accepted by a policy that takes ties
    # The judge and the person agree, and still there is no better side to learn from.
    assert Rulings(db).add(tie, "relabel", relabel="tie", reviewer="ada").ruling == "relabel"
    Rulings(db).add(side, "relabel", relabel="tie", reviewer="ada")
    for number in (tie, side):
        with db.read() as connection:
            effective = select(verdicts.c.effective).where(verdicts.c.prediction_id == number)
            assert connection.execute(effective).scalar_one() == "rejected"
    seen = preview(db, [1])
    frozen = freeze(db, "s", [1])
    assert seen.items == frozen.counts["items"] == 1
    assert seen.answers == {"first": 1}
    assert seen.untrainable == {"naming no better side": 1}
    assert [item.prediction_id for item in Sets(db).iter_items(frozen.id)] == [kept]


def test_a_preview_names_generators_and_leads_of_the_answer_in_either_order(
    db: Database, judge: Callable[..., int]
) -> None:
    for number, (order, answer) in enumerate(
        [("dataset", "first"), ("swapped", "second"), ("dataset", "second"), ("swapped", "first")]
    ):
        better = "first" if number < 2 else "second"  # in dataset order
        made = judge(number, order=order, answer=answer, label=better)
        scores = (8.0, 5.0) if answer == "first" else (5.0, 8.0)
        with db.write() as connection:
            extra = {"model1": f"made-{better}", "model2": f"lost-{better}"}
            if better == "second":
                extra = {"model1": f"lost-{better}", "model2": f"made-{better}"}
            connection.execute(update(pairs).where(pairs.c.id == number).values(extra=extra))
            connection.execute(
                update(verdicts)
                .where(verdicts.c.prediction_id == made)
                .values(scores={"dimensions": [["Realism", *scores]]})
            )
    seen = preview(db, [1])
    assert {share.name: share.before for share in seen.winners} == {"made-first": 2, "made-second": 2}
    assert seen.lead == {"Realism": 3.0}


def test_the_difference_of_two_versions_names_what_came_and_went(space: Workspace) -> None:
    before = freeze(space.database, "s", [1])
    ids = [item.prediction_id for item in Sets(space.database).iter_items(before.id)]
    space.rulings.add(ids[0], "reject", reviewer="ada")
    rejected = next(row["id"] for row in space.predictions.iter_rows(1, decision="rejected") if row["answer"])
    space.rulings.add(rejected, "accept", reviewer="ada")
    after = freeze(space.database, "s", [1])
    reading = Previews(space.database)
    assert reading.difference(before.id, after.id) == {
        "shared": len(ids) - 1,
        "relabelled": 0,
        "removed": 1,
        "added": 1,
    }
    assert [row.prediction_id for row in reading.only_in(before.id, after.id)] == [ids[0]]
    assert [row.prediction_id for row in reading.only_in(after.id, before.id)] == [rejected]
