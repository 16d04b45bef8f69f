"""Finding predictions: every filter against a reading by hand, pages, search, bulk rulings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from backend.curation.bulk import BulkRulings
from backend.curation.rulings import Rulings
from backend.domain.browse import BrowseFilter, Measure, Sort
from backend.domain.reading import Flaw, flaws_of
from backend.store.browse import Browse, Cursor, Hit
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, either_url_of_module: str | None) -> Workspace:
    space = build_workspace(tmp_path_factory.mktemp("browse") / "ws", videos=3, url=either_url_of_module)
    rulings = Rulings(space.database)
    rulings.add(1, "accept", reviewer="ada", tags=["hands"])
    rulings.add(2, "reject", reviewer="bob", note="no")
    rulings.add(3, "flag", reviewer="ada")
    rulings.add(4, "accept", reviewer="bob", tags=["hands"])
    rulings.add(4, "undo", reviewer="bob")
    return space


def everything(space: Workspace) -> list[Hit]:
    return Browse(space.database).page(BrowseFilter(), limit=10_000)


def texts(space: Workspace) -> dict[int, dict[str, object]]:
    return {row["id"]: row for run in space.runs.list() for row in space.predictions.iter_rows(run.id)}


def by_hand(wanted: BrowseFilter, hit: Hit, row: dict[str, object]) -> bool:
    found = flaws_of(hit.flaws)
    checks = [
        not wanted.run or hit.run_id in wanted.run,
        wanted.decision in (None, hit.decision),
        wanted.effective in (None, hit.effective),
        not wanted.reason or hit.reason in wanted.reason,
        wanted.reviewed is None or wanted.reviewed == (hit.ruling is not None),
        wanted.reviewer in (None, hit.reviewer),
        not wanted.ruling or (hit.ruling or "none") in wanted.ruling,
        wanted.kind in (None, hit.kind),
        not wanted.answer or (hit.answer or "none") in wanted.answer,
        not wanted.flaw or ("any" in wanted.flaw and bool(found)) or any(flaw in found for flaw in wanted.flaw),
        wanted.margin_min is None or (hit.margin is not None and hit.margin >= wanted.margin_min),
        wanted.margin_max is None or (hit.margin is not None and hit.margin <= wanted.margin_max),
        all(word.lower() in f"{row['prompt']} {row['text']}".lower() for word in wanted.words),
    ]
    return all(checks)


filters = st.builds(
    BrowseFilter,
    run=st.sets(st.integers(1, 4), max_size=2).map(tuple),
    decision=st.sampled_from([None, None, "accepted", "rejected"]),
    effective=st.sampled_from([None, None, "accepted", "rejected"]),
    reason=st.sampled_from([(), (), ("agrees",), ("disagrees", "unreadable")]),
    reviewed=st.sampled_from([None, None, True, False]),
    reviewer=st.sampled_from([None, None, "ada", "bob", "nobody"]),
    ruling=st.sampled_from([(), (), ("none",), ("accept",), ("reject", "flag"), ("none", "flag")]),
    kind=st.sampled_from([None, None, "image", "video"]),
    answer=st.sampled_from([(), (), ("first",), ("second", "none"), ("none",), ("tie",)]),
    flaw=st.sampled_from([(), (), ("any",), (Flaw.NO_ANSWER,), (Flaw.TOTAL_MISMATCH,)]),
    margin_min=st.sampled_from([None, None, 1.0, 5.0]),
    margin_max=st.sampled_from([None, None, 6.0]),
    text=st.sampled_from([None, None, "green", "artefacts twice", "number 3", "absent-word"]),
    sort=st.sampled_from(["oldest", "newest", "margin", "-margin", "length", "-length"]),
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=filters)
def test_any_filter_finds_what_reading_everything_finds(space: Workspace, wanted: BrowseFilter) -> None:
    browse = Browse(space.database)
    rows = texts(space)
    expected = {hit.id for hit in everything(space) if by_hand(wanted, hit, rows[hit.id])}
    found = browse.page(wanted, limit=10_000)
    assert {hit.id for hit in found} == expected
    assert browse.count(wanted) == len(expected)
    assert list(browse.ids(wanted)) == [hit.id for hit in found]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=filters, size=st.integers(1, 40))
def test_pages_by_key_show_each_match_once_and_in_order(space: Workspace, wanted: BrowseFilter, size: int) -> None:
    browse = Browse(space.database)
    whole = [hit.id for hit in browse.page(wanted, limit=10_000)]
    paged: list[int] = []
    after = None
    while page := browse.page(wanted, after=after, limit=size):
        paged += [hit.id for hit in page]
        after = Cursor(page[-1].key, page[-1].id)
    assert paged == whole


@given(wanted=filters)
def test_a_filter_survives_its_url(wanted: BrowseFilter) -> None:
    assert BrowseFilter.from_query(wanted.to_query()) == (wanted, [])


def test_what_a_url_says_wrongly_is_left_out_and_named() -> None:
    found, refused = BrowseFilter.from_query(
        {"run": "1,x", "decision": "maybe", "margin_min": "2", "sort": "sideways", "other": "1"}
    )
    assert found == BrowseFilter(margin_min=2)
    assert sorted(refused) == ["decision", "run", "sort"]


def test_a_dimension_can_be_searched_by_side_and_by_difference(space: Workspace) -> None:
    browse = Browse(space.database)
    wide = browse.page(BrowseFilter(run=(1,), dimension="authenticity", score_min=3), limit=99)
    assert wide
    assert all(hit.answer == "first" or hit.answer is None for hit in wide)
    low = BrowseFilter(run=(1,), dimension="Authenticity", measure="second", score_max=5)
    high = BrowseFilter(run=(1,), dimension="Authenticity", measure="second", score_min=5.5)
    assert browse.count(low) + browse.count(high) == browse.count(BrowseFilter(run=(1,)))
    assert browse.count(BrowseFilter(dimension="no such thing")) == 0


@pytest.mark.parametrize("measure", ["first", "second", "difference"])
def test_indexed_scores_are_those_of_the_verdicts(tmp_path: Path, measure: Measure) -> None:
    space = build_workspace(tmp_path / "ws", videos=2)
    browse = Browse(space.database)
    sorts: tuple[Sort, ...] = ("oldest", "-margin")
    wanted = [
        BrowseFilter(dimension=name, measure=measure, score_min=low, score_max=high, sort=sort)
        for name in ("Authenticity", "temporal COHERENCE", "no such thing")
        for low, high in ((None, None), (6.0, None), (-2.0, 4.0))
        for sort in sorts
    ]
    read = [list(browse.ids(one)) for one in wanted]
    assert any(read)
    assert not browse.scores_index.complete()
    assert browse.scores_index.catch_up(60) == 0
    assert browse.scores_index.complete()
    with space.database.write() as connection:
        # Nothing is left to be read by hand: what is found now is found in the index.
        connection.execute(sql("UPDATE verdicts SET scores = '{}'"))
    assert [list(browse.ids(one)) for one in wanted] == read


def test_new_predictions_are_found_before_they_are_indexed(tmp_path: Path) -> None:
    space = build_workspace(tmp_path / "ws", videos=1)
    browse = Browse(space.database)
    wanted = BrowseFilter(dimension="authenticity", measure="first", score_min=6)
    before = browse.count(wanted)
    browse.scores_index.catch_up(60)
    with space.database.write() as connection:
        connection.execute(sql("UPDATE dimension_upto SET upto = upto - 5"))
        connection.execute(sql("DELETE FROM dimension_scores WHERE prediction_id > (SELECT upto FROM dimension_upto)"))
    assert browse.scores_index.behind() == 5
    assert browse.count(wanted) == before
    browse.scores_index.catch_up(60)
    assert browse.count(wanted) == before


def test_tags_that_were_undone_are_not_found(space: Workspace) -> None:
    browse = Browse(space.database)
    assert [hit.id for hit in browse.page(BrowseFilter(tag="hands"))] == [1]
    assert browse.facets().reviewers == ["ada", "bob"]


def test_of_two_who_ruled_both_are_found(tmp_path: Path) -> None:
    space = build_workspace(tmp_path / "ws", videos=1)
    rulings, browse = Rulings(space.database), Browse(space.database)
    rulings.add(1, "reject", reviewer="ada")
    rulings.add(1, "accept", reviewer="bob")
    rulings.add(2, "accept", reviewer="ada")
    rulings.add(3, "accept", reviewer="ada")
    rulings.add(3, "undo", reviewer="ada")
    rulings.add(4, "accept", reviewer="bob")
    assert list(browse.ids(BrowseFilter(reviewer="ada"))) == [1, 2]
    assert list(browse.ids(BrowseFilter(reviewer="bob"))) == [1, 4]
    assert list(browse.ids(BrowseFilter(reviewer="ada", ruling=("reject",)))) == []
    assert list(browse.ids(BrowseFilter(reviewer="ada", ruling=("accept",)))) == [2]


@pytest.mark.parametrize("text", ['"', "NEAR(", "a OR b", "%", "_", "caption:x", "'); DROP", "*"])
def test_search_words_are_never_syntax(space: Workspace, text: str) -> None:
    browse = Browse(space.database)
    before = browse.count(BrowseFilter(text=text))
    browse.words_index.catch_up(60)
    after = browse.count(BrowseFilter(text=text))
    assert (before, after) >= (0, 0)


def test_the_index_finds_what_reading_finds_and_new_rows_too(tmp_path: Path) -> None:
    space = build_workspace(tmp_path / "ws", videos=1)
    browse = Browse(space.database)
    wanted = BrowseFilter(text="artefacts number")
    slow = list(browse.ids(wanted))
    assert browse.words_index.upto() == 0
    assert browse.words_index.catch_up(60) == 0
    assert browse.words_index.upto() == max(hit.id for hit in everything(space))
    assert list(browse.ids(wanted)) == slow
    with space.database.write() as connection:
        connection.execute(sql("DELETE FROM search_docsize WHERE id > 20"))
    assert list(browse.ids(wanted)) == slow


def test_a_bulk_ruling_is_undone_as_one_and_spares_newer_rulings(tmp_path: Path) -> None:
    space = build_workspace(tmp_path / "ws", videos=1)
    browse, rulings = Browse(space.database), BulkRulings(space.database)
    wanted = BrowseFilter(run=(2,), decision="accepted")
    ids = browse.ids(wanted)
    before = {i: space.predictions.state(i)["effective"] for i in ids}
    assert rulings.add(ids, "reject", reviewer="ada", token="one act") == len(ids)
    assert browse.count(BrowseFilter(run=(2,), effective="accepted")) == 0
    rulings.add(ids, "reject", reviewer="ada", token="one act")
    assert len(space.rulings.history(ids[0])) == 1, "sending an act again stores it once"
    space.rulings.add(ids[0], "accept", reviewer="bob")
    assert rulings.undo("one act", reviewer="ada") == (len(ids) - 1, 1)
    assert rulings.undo("one act", reviewer="ada") == (0, 1)
    assert {i: space.predictions.state(i)["effective"] for i in ids} == before
    assert space.predictions.state(ids[0])["ruling"] == "accept"
