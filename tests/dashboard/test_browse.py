"""The Browse page, without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from backend.curation.queues import NewQueue, Queues, Sent
from backend.curation.rulings import Rulings
from backend.domain.people import Person, Role
from backend.errors import Forbidden
from backend.store.browse import Browse, BrowseFilter
from backend.workspace import Workspace
from dashboard.browse.cards import cards
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


def chips(test: object) -> list[str]:
    return [
        b.label.replace("\\", "")
        for b in test.button  # type: ignore[attr-defined]
        if (b.key or "").startswith("chip_") and b.key != "chip_all"
    ]


@pytest.mark.parametrize(
    ("query", "left_out"),
    [
        ({"score_min": "5"}, "score_min"),
        ({"measure": "first", "score_max": "3"}, "measure, score_max"),
        ({"margin_min": "nan"}, "margin_min"),
        ({"dimension": "Aesthetics", "score_max": "-inf"}, "score_max"),
        ({"decison": "accepted"}, "decison"),
    ],
)
def test_what_a_link_asks_for_and_cannot_be_applied_is_said(
    demo_space: Workspace, open_page: Open, query: dict[str, str], left_out: str
) -> None:
    test = open_page("browse", **query)
    assert fine(test)
    assert test.warning[0].value.replace("\\", "").endswith(f": {left_out}")
    assert chips(test) == [f"dimension: {name}" for name in [query.get("dimension")] if name]
    assert not any(name in test.query_params for name in left_out.split(", "))


def test_the_chip_of_a_dimension_says_its_whole_range(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("browse", dimension="Aesthetics", measure="first", score_min="3")
    assert chips(test) == ["dimension: Aesthetics, of the first at least 3"]
    both = open_page("browse", dimension="Aesthetics", score_min="-2", score_max="4.5")
    assert chips(both) == ["dimension: Aesthetics, first minus second at least -2 and at most 4.5"]
    alone = open_page("browse", dimension="Aesthetics")
    assert chips(alone) == ["dimension: Aesthetics"]
    alone.button(key="chip_dimension").click().run()
    assert alone.number_input(key="browse_score_min").disabled


def test_the_view_is_in_the_address(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("browse", run="1")
    test.segmented_control(key="view").set_value("table").run()
    assert test.query_params["view"] == "table"
    again = open_page("browse", run="1", view="table")
    assert again.segmented_control(key="view").value == "table"
    again.segmented_control(key="browse_kind").set_value("image").run()
    assert again.query_params["view"] == "table"
    again.segmented_control(key="view").set_value("cards").run()
    assert "view" not in again.query_params


def test_a_card_says_which_side_a_person_prefers(demo_space: Workspace) -> None:
    browse, wanted = Browse(demo_space.database), BrowseFilter(run=(1,))
    one, two = browse.page(wanted)[:2]
    demo_space.rulings.add(one.id, "relabel", relabel="first", reviewer="Bob")
    demo_space.rulings.add(one.id, "relabel", relabel="second", reviewer="Ada")
    first, other, *_ = cards(demo_space.database, browse.page(wanted), "Ada")
    assert first["decision"] == "second is better, says Ada"
    assert first["filter"].startswith(one.decision)
    assert other["facts"].startswith(f"margin {two.margin:+g}")


VERDICT = ("answer", "preferred", "said", "wanted", "margin", "ruling", "flaws")


def test_what_waits_in_a_blind_queue_tells_its_reviewers_nothing_in_browse(demo_space: Workspace) -> None:
    browse, wanted = Browse(demo_space.database), BrowseFilter(run=(1,))
    held = browse.page(wanted)[0]
    demo_space.rulings.add(held.id, "reject", reviewer="Bob")
    before = cards(demo_space.database, browse.page(wanted), "Ada")
    queues = Queues(demo_space.database)
    queue = queues.make(
        NewQueue(kind="filter", title="t", blind=True, rulings_wanted=2), created_by="Bob", ids=[held.id]
    )

    def shown(reviewer: str) -> dict[str, object]:
        first, second, *_ = cards(demo_space.database, browse.page(wanted), reviewer)
        assert (first["id"], second) == (held.id, before[1])
        return first

    for reviewer in ("Ada", "Bob", ""):
        card = shown(reviewer)
        assert card["decision"] == card["filter"] == f"blind in queue {queue.id}"
        assert not any(card[name] for name in VERDICT)
        assert card["state"] == "waiting"
        assert card["caption"] == before[0]["caption"]
        assert len(card["thumbs"]) == 2  # type: ignore[arg-type]
    # Whoever has chosen sees it, be it here or elsewhere; others do not, until no ruling is wanted.
    queues.rule(
        "Ada",
        [Sent(token="a", queue_id=queue.id, position=0, prediction_id=held.id, ruling="relabel", relabel="first")],
    )
    assert shown("Ada")["said"] == before[0]["said"]
    demo_space.rulings.add(held.id, "relabel", relabel="first", reviewer="Bob")
    assert shown("Bob")["said"] == before[0]["said"]
    assert shown("Cid")["state"] == "waiting"
    queues.set_closed(queue, True)
    assert shown("Cid")["said"] == before[0]["said"]


def test_browse_opens_and_rules_on_all_with_a_blind_queue_under_way(demo_space: Workspace, open_page: Open) -> None:
    Queues(demo_space.database).make(NewQueue(kind="unreviewed", title="t", blind=True), created_by="Ada")
    test = open_page("browse", run="2")
    assert fine(test)
    assert "blind in queue 1" in str(test.get("bidi_component")[0].proto)
    test.radio(key="bulk_ruling").set_value("reject").run()
    next(c for c in test.checkbox if c.label.startswith("Yes, all 96 matches")).check().run()
    next(b for b in test.button if b.label.startswith("Reject all")).click().run()
    assert fine(test)
    browse = Browse(demo_space.database)
    assert soon(lambda: browse.count(BrowseFilter(run=(2,), ruling=("reject",))) == 96)


def test_all_matches_are_ruled_on_and_undone_at_once(demo_space: Workspace, open_page: Open) -> None:
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
    # For an impatient hand: the first click has used up its confirmation.
    assert next(b for b in test.button if b.label.startswith("Reject all")).disabled
    test.run()
    test.button(key="bulk_undo").click().run()
    assert fine(test)
    assert soon(lambda: browse.count(BrowseFilter(run=(2,), reviewed=True)) == 0)


def test_a_confirmation_is_about_the_matches_it_was_given_for(demo_space: Workspace, open_page: Open) -> None:
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


def test_a_confirmation_outlives_a_count_that_takes_long(
    demo_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = open_page("browse", run="2")
    test.text_input(key="bulk_note").set_value("a bad day").run()
    [sure] = [one for one in test.checkbox if str(one.key).startswith("bulk_sure_")]
    sure.set_value(True).run()
    with monkeypatch.context() as slow:
        slow.setattr("dashboard.browse.counting.match_count", lambda *_args: None)
        slow.setattr("dashboard.browse.counting.still_counting", lambda *_args: None)
        test.run()
        assert "still being counted" in "".join(one.value for one in test.caption)
    test.run()
    assert test.text_input(key="bulk_note").value == "a bad day"
    assert [one.value for one in test.checkbox if str(one.key).startswith("bulk_sure_")] == [True]


def soon(true: Callable[[], bool]) -> bool:
    """Wait for what goes on in the background."""
    for _ in range(200):
        if true():
            return True
        time.sleep(0.05)
    return False


def test_the_fold_of_rulings_stays_open_when_its_last_field_is_emptied(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("browse", ruling="none")
    assert test.expander[0].proto.expanded
    test.multiselect(key="browse_ruling").set_value([]).run()
    assert fine(test)
    assert test.expander[0].proto.expanded
    assert not open_page("browse").expander[0].proto.expanded
