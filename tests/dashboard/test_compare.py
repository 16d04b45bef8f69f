"""The page Compare: two runs of one dataset, pair by pair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.curation.queues import Queues
from backend.inference.compare import Comparison, compare
from backend.store.comparisons import Said
from backend.workspace import Workspace
from dashboard.compare.charts import verdict
from tests.dashboard.conftest import Open


def test_without_two_runs_of_one_dataset_it_says_what_is_missing(empty_space: Workspace, open_page: Open) -> None:
    test = open_page("compare")
    assert not test.exception
    assert test.subheader[0].value == "Nothing to compare yet"


def test_the_url_names_both_runs_and_the_outcome(demo_space: Workspace, open_page: Open) -> None:
    found = compare(demo_space.database, demo_space.runs.get(2), demo_space.runs.get(1))
    test = open_page("compare", a="2", b="1", pairs="only_b")
    assert not test.exception
    assert not test.error
    assert (test.session_state["a"], test.session_state["b"]) == (2, 1)
    assert test.session_state["pairs"] == "only_b"
    said = " ".join(element.value for element in test.markdown)
    assert f"A {found.outcomes['only_a']:,} times and B {found.outcomes['only_b']:,} times" in said
    assert "McNemar" in said


def test_a_run_asked_more_often_is_not_called_worse(demo_space: Workspace) -> None:
    imported = demo_space.runs.get(1)
    a = replace(imported, spec={"order": "shuffled", "samples": 1})
    b = replace(imported, spec={"order": "both", "samples": 2})
    found = Comparison((Said("first", "none", "first", 40),))
    assert "right more often, but they were not asked alike" in verdict(found, a, b)
    assert "A gave 1 answer a pair, B 4 answers in both orders" in verdict(found, a, b)
    for like in (a, imported):
        assert verdict(found, a, like).startswith("**A is better**")


def test_a_link_that_names_one_run_sets_another_of_its_dataset_beside_it(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("compare", b="1")
    assert (test.session_state["a"], test.session_state["b"]) == (2, 1)


def test_flipped_pairs_become_a_review_queue(demo_space: Workspace, open_page: Open) -> None:
    found = compare(demo_space.database, demo_space.runs.get(1), demo_space.runs.get(2))
    test = open_page("compare", a="1", b="2", pairs="only_a")
    test.button(key="review_B").click().run()
    assert not test.error
    (queue,) = Queues(demo_space.database).newest()
    assert queue.items == found.outcomes["only_a"] > 0
    assert queue.spec["runs"] == [2]
    assert "only A right" in queue.title


def test_what_the_url_cannot_mean_is_ignored(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("compare", pairs="x", after="9" * 40)
    assert not test.exception
    assert not test.error


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"a": "1", "b": "99"}, "there is no run 99"),
        ({"a": "<script>"}, "there is no run"),
        ({"b": "3"}, "run 3 is the only one over its dataset"),
        ({"a": "1", "b": "1"}, "run 1 is both A and B"),
    ],
)
def test_runs_that_cannot_be_compared_are_one_line_and_a_way_on(
    demo_space: Workspace, open_page: Open, query: dict[str, str], said: str
) -> None:
    test = open_page("compare", **query)
    (error,) = test.error
    assert said in error.value
    test.button(key="not_there").click().run()
    assert not test.error
    assert (test.session_state["a"], test.session_state["b"]) == (2, 1)


def test_another_a_never_stands_beside_a_run_of_another_dataset(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("compare", a="1", b="2")
    test.selectbox(key="a").set_value(2).run()
    assert not test.error
    assert (test.session_state["a"], test.session_state["b"]) == (2, 1)


def test_it_opens_on_the_first_outcome_that_has_pairs(demo_space: Workspace, open_page: Open) -> None:
    found = compare(demo_space.database, demo_space.runs.get(1), demo_space.runs.get(2))
    first = next(one for one in ("only_a", "only_b", "both_wrong") if found.outcomes[one])
    assert open_page("compare", a="1", b="2").session_state["pairs"] == first
    other = open_page("compare", a="2", b="1")
    turned = {"only_a": "only_b", "only_b": "only_a"}
    counts = {turned.get(name, name): n for name, n in found.outcomes.items()}
    first = next(one for one in ("only_a", "only_b", "both_wrong") if counts[one])
    assert other.session_state["pairs"] == first
