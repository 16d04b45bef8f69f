"""The review page's script."""

from __future__ import annotations

import pytest

from backend.curation.kinds.registry import KINDS, offered
from backend.curation.queues import Queues
from backend.options import options_of
from backend.store.queues import QueueRow
from backend.workspace import Workspace
from tests.dashboard.conftest import Open


def test_an_empty_workspace_says_what_comes_first(empty_space: Workspace, open_page: Open) -> None:
    page = open_page("review")
    assert not page.exception
    assert [one.value for one in page.subheader] == ["Nothing to review yet"]


def test_a_queue_is_made_from_the_page_and_opened(demo_space: Workspace, open_page: Open) -> None:
    page = open_page("review")
    page.selectbox(key="queue_kind").select("audit_accepted").run()
    page.number_input[0].set_value(5)
    next(one for one in page.button if one.label == "Make queue").click().run()
    assert not page.exception
    [made] = Queues(demo_space.database).newest()
    assert (made.kind, made.items, made.created_by) == ("audit_accepted", 5, "Ada")
    assert page.query_params["queue"] == str(made.id)


@pytest.mark.parametrize("name", list(offered()))
def test_each_kind_is_made_from_the_page_with_the_options_it_has(
    demo_space: Workspace, open_page: Open, name: str
) -> None:
    demo_space.rulings.add(1, "flag", reviewer="Bob")
    page = open_page("review", kind=name)
    assert page.selectbox(key="queue_kind").value == name
    assert any(one.value == KINDS[name].purpose for one in page.caption)
    defaults = KINDS[name].options().model_dump()
    assert {option: page.session_state[f"queue_{name}_{option}"] for option in options_of(KINDS[name].options)} == {
        option: list(value) if isinstance(value, tuple) else value for option, value in defaults.items()
    }
    if name == "suspect_labels":  # no pair of this workspace has all answers against it
        page.number_input(key="queue_suspect_labels_agreement").set_value(0.55).run()
    next(one for one in page.button if one.label == "Make queue").click().run()
    assert not page.exception and not page.error
    [made] = Queues(demo_space.database).newest()
    assert (made.kind, made.title) == (name, f"{KINDS[name].label} of all runs")


def test_a_queues_option_out_of_range_is_refused_with_its_range(demo_space: Workspace, open_page: Open) -> None:
    page = open_page("review", kind="suspect_labels")
    page.number_input(key="queue_suspect_labels_agreement").set_value(0.5).run()
    next(one for one in page.button if one.label == "Make queue").click().run()
    assert "at most 1" in page.error[0].value
    assert Queues(demo_space.database).newest() == []


def test_a_queue_that_nothing_belongs_into_is_one_line_and_a_hint(demo_space: Workspace, open_page: Open) -> None:
    page = open_page("review")
    page.selectbox(key="queue_kind").select("flagged").run()
    next(one for one in page.button if one.label == "Make queue").click().run()
    assert not page.exception
    assert "nobody has flagged anything" in page.error[0].value


@pytest.mark.parametrize("number", ["99", "x", "1" * 40, "-1"])
def test_an_unknown_queue_is_one_line_and_a_hint(demo_space: Workspace, open_page: Open, number: str) -> None:
    page = open_page("review", queue=number)
    assert not page.exception
    assert "no" in page.error[0].value


def test_the_name_is_asked_for_before_anything_else(demo_space: Workspace, open_page: Open) -> None:
    page = open_page("review", as_person="")
    assert "Who is reviewing" in page.markdown[0].value


@pytest.mark.parametrize("at", ["0", "3", "999999", "-1", "x", "9" * 30])
def test_the_room_opens_wherever_the_url_says(queue: QueueRow, open_page: Open, at: str) -> None:
    page = open_page("review", queue=str(queue.id), at=at)
    assert not page.exception
    assert not page.error


def test_an_unknown_queue_has_the_list_below(demo_space: Workspace, queue: QueueRow, open_page: Open) -> None:
    page = open_page("review", queue="999")
    assert "there is no review queue 999" in page.error[0].value
    page.button(key=f"open_{queue.id}").click().run()
    assert page.query_params["queue"] == str(queue.id)


def test_a_closed_queue_is_folded_away_until_its_maker_reopens_it(
    demo_space: Workspace, queue: QueueRow, open_page: Open
) -> None:
    assert not [one for one in open_page("review", as_person="Bob").button if one.label == "Close"]
    page = open_page("review")
    page.button(key=f"close_{queue.id}").click().run()
    assert not page.exception
    assert [one.label for one in page.expander] == ["Closed (1)"]
    other = open_page("review", as_person="Bob")
    assert [one.label for one in other.expander] == ["Closed (1)"]
    assert not [one for one in other.button if one.label == "Reopen"]
    page.button(key=f"close_{queue.id}").click().run()
    assert not page.expander
    assert Queues(demo_space.database).get(queue.id).items == queue.items
