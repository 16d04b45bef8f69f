"""The Browse page, without a browser."""

from __future__ import annotations

from backend.curation.rulings import Rulings
from backend.store.browse import Browse, BrowseFilter
from backend.workspace import Workspace
from tests.dashboard.conftest import Open


def fine(test: object) -> bool:
    return not test.exception and not test.error  # type: ignore[attr-defined]


def matches(test: object) -> str:
    return next(m.value for m in test.markdown if "match" in m.value)  # type: ignore[attr-defined]


def test_an_empty_workspace_says_what_will_be_here(empty_space: Workspace, open_page: Open) -> None:
    test = open_page("browse")
    assert fine(test)
    assert "Nothing to browse yet" in [heading.value for heading in test.subheader]


def test_a_link_restores_its_filter(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("browse", run="1", reason="unreadable")
    assert fine(test)
    expected = Browse(demo_space.database).count(BrowseFilter(run=(1,), reason=("unreadable",)))
    assert expected > 0
    assert matches(test) == f"**{expected}** matches"
    assert test.multiselect(key="browse_run").value == [1]


def test_changing_a_filter_changes_url_and_results(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("browse")
    test.segmented_control(key="browse_kind").set_value("video").run()
    assert fine(test)
    assert test.query_params["kind"] == "video"
    assert matches(test) == "**6** matches"
    test.button(key="chip_kind").click().run()
    assert "kind" not in test.query_params


def test_each_person_has_their_own_last_filter(demo_space: Workspace, open_page: Open) -> None:
    open_page("browse", as_person="Ada", kind="video")
    assert matches(open_page("browse", as_person="Ada")) == "**6** matches"
    assert matches(open_page("browse", as_person="Bob")) == "**126** matches"


def test_a_broken_link_says_what_it_left_out(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("browse", run="seven", kind="video")
    assert fine(test)
    assert "run" in test.warning[0].value
    assert matches(test) == "**6** matches"


def test_all_matches_are_ruled_on_and_undone_at_once(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("browse", run="2")
    test.radio(key="bulk_ruling").set_value("reject").run()
    button = next(b for b in test.button if b.label.startswith("Reject all"))
    assert button.disabled
    test.checkbox(key="bulk_sure").check().run()
    next(b for b in test.button if b.label.startswith("Reject all")).click().run()
    assert fine(test)
    browse = Browse(demo_space.database)
    assert browse.count(BrowseFilter(run=(2,), ruling=("reject",))) == 96
    assert Rulings(demo_space.database).history(30)[0].reviewer == "Ada"
    test.button(key="bulk_undo").click().run()
    assert browse.count(BrowseFilter(run=(2,), reviewed=True)) == 0
