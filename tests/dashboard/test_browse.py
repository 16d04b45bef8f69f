"""The Browse page, without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from backend.curation.rulings import Rulings
from backend.domain.people import Person, Role
from backend.errors import Forbidden
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
    sure = next(c for c in test.checkbox if c.label.startswith("Yes, all 96 matches"))
    sure.check().run()
    next(b for b in test.button if b.label.startswith("Reject all")).click().run()
    assert fine(test)
    browse = Browse(demo_space.database)
    assert soon(lambda: browse.count(BrowseFilter(run=(2,), ruling=("reject",))) == 96)
    assert Rulings(demo_space.database).history(30)[0].reviewer == "Ada"
    test.run()
    test.button(key="bulk_undo").click().run()
    assert fine(test)
    assert soon(lambda: browse.count(BrowseFilter(run=(2,), reviewed=True)) == 0)


def test_a_confirmation_is_about_the_matches_it_was_given_for(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("browse", run="2")
    next(c for c in test.checkbox if c.label.startswith("Yes, all 96")).check().run()
    test.segmented_control(key="browse_effective").set_value("accepted").run()
    assert fine(test)
    assert next(b for b in test.button if b.label.startswith("Accept all")).disabled


def test_reviewers_browse_but_do_not_rule_on_all(
    demo_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = Person("eve", Role.REVIEWER)
    monkeypatch.setattr("dashboard.identity.present_person", lambda: eve)
    test = open_page("browse", run="2")
    assert fine(test)
    assert matches(test) == "**96** matches"
    assert not [b for b in test.button if b.label.startswith("Accept all")]
    with pytest.raises(Forbidden):
        demo_space.acting_as(eve).rule_on_all([1], "accept", token="t")
    with pytest.raises(Forbidden):
        demo_space.acting_as(eve).undo_act("t")


def soon(true: Callable[[], bool]) -> bool:
    """Wait for what goes on in the background."""
    for _ in range(200):
        if true():
            return True
        time.sleep(0.05)
    return False
