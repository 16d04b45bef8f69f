"""The page Overview: the loop, what is under way, what needs a person."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from backend.curation import sets as curated
from backend.curation.queues import NewQueue, Queues
from backend.domain.filtering import Policy
from backend.domain.people import Person, Role
from backend.errors import Forbidden
from backend.inference.deciding import redecide
from backend.store.runs import Runs
from backend.store.schema import datasets
from backend.workspace import Workspace
from dashboard.overview import history
from dashboard.overview.demo import start_demo
from tests.dashboard.conftest import Open


def html(test: AppTest) -> str:
    return "".join(element.proto.body for element in test.get("html"))


def test_an_empty_workspace_explains_the_first_step_and_offers_the_demo(
    empty_space: Workspace, open_page: Open
) -> None:
    test = open_page("overview")
    assert not test.exception
    assert not test.error
    assert test.subheader[0].value == "Start with pairs"
    assert [button.label for button in test.button] == ["Try the demo"]


def test_the_loop_shows_how_far_everything_has_come(demo_space: Workspace, open_page: Open) -> None:
    curated.freeze(demo_space.database, "first", [1, 2])
    test = open_page("overview")
    assert not test.exception
    assert not test.error
    steps = html(test)
    accepted = sum(demo_space.runs.counts(run)["accepted"] for run in (1, 2, 3))
    for count in (30, 24 + 96 + 6, accepted):
        assert f"<b>{count:,}</b>" in steps
    said = " ".join(element.value for element in test.markdown)
    assert f"{accepted} predictions accepted, none reviewed" in said
    assert "Set first is frozen and no training has used it" in said


def test_numbers_are_kept_until_something_has_changed_them(
    demo_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    counts = Runs.counts
    monkeypatch.setattr(Runs, "counts", lambda self, run: asked.append(run) or counts(self, run))

    def accepted() -> int:
        asked.clear()
        steps = html(open_page("overview"))
        assert sum(demo_space.runs.counts(run)["done"] for run in (1, 2, 3)) == 126
        del asked[-3:]
        return int(steps.split("<span>accepted</span><b>")[1].split("<")[0])

    before = accepted()
    assert sorted(asked) == [1, 2, 3]
    assert (accepted(), asked) == (before, [])
    row = next(row for row in demo_space.predictions.iter_rows(1) if row["effective"] == "accepted")
    demo_space.rulings.add(row["id"], "reject", reviewer="Ada")
    assert (accepted(), asked) == (before - 1, [1])
    demo_space.rulings.add(row["id"], "undo", reviewer="Ada")
    assert (accepted(), asked) == (before, [1])
    # Deciding again, under the same policy even, may change what a run counts.
    redecide(demo_space.database, 2, Policy(), 30)
    accepted()
    assert asked == [2]


def charts(test: AppTest) -> list[dict[str, Any]]:
    """Both charts, once the runs have been counted beside the page."""
    for _ in range(50):
        assert not test.exception
        if found := test.get("plotly_chart"):
            return [json.loads(one.proto.spec) for one in found]
        time.sleep(0.2)
        test.run()
    raise AssertionError("no chart")


def test_the_runs_of_each_dataset_stand_together_above_its_name(demo_space: Workspace, open_page: Open) -> None:
    for spec in charts(open_page("overview")):
        places = [trace["x"] for trace in spec["data"]]
        assert places == [[["pictures"] * 2, ["run 1", "run 2"]], [["clips"], ["run 3"]]]


def test_datasets_whose_names_are_cut_alike_are_not_taken_for_one(
    demo_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LETTERS", 4)
    with demo_space.database.write() as connection:
        for row, name in enumerate(("long, one", "long, two"), start=1):
            connection.execute(update(datasets).where(datasets.c.id == row).values(name=name))
    for spec in charts(open_page("overview")):
        one, two = (trace["x"][0][0] for trace in spec["data"])
        assert one != two
        assert one == two.strip() == "lon…"


def test_flags_and_conflicts_wait_for_a_person(demo_space: Workspace, open_page: Open) -> None:
    row = next(iter(demo_space.predictions.iter_rows(1)))
    demo_space.rulings.add(row["id"], "flag", reviewer="Ada")
    said = " ".join(element.value for element in open_page("overview").markdown)
    assert "1 prediction flagged and not settled" in said


def words(test: AppTest) -> str:
    return "\n".join(element.value for element in test.markdown)


def test_the_demo_is_a_task_that_says_what_it_does(
    empty_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "supervise", lambda _space: None)
    monkeypatch.setattr("dashboard.tasks._AT_ONCE_S", 0.0)
    test = open_page("overview")
    test.button(key="start_demo").click().run()
    assert not test.error
    assert "waiting to start" in words(test)
    (task,) = empty_space.tasks.list()
    empty_space.tasks.set_progress(task.id, {"lines": ["1. rendering"]})
    assert "rendering" in words(test.run())
    start_demo(empty_space)
    assert len(empty_space.tasks.list()) == 1, "it is going on already"


def test_a_reviewer_is_not_offered_the_demo_and_refused_it(
    empty_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = Person("eve", Role.REVIEWER)
    monkeypatch.setattr("dashboard.identity.present_person", lambda: eve)
    assert not open_page("overview").button
    with pytest.raises(Forbidden):
        start_demo(empty_space.acting_as(eve))
    assert not empty_space.tasks.list()


def test_no_step_is_a_share_of_what_it_is_no_part_of(demo_space: Workspace, open_page: Open) -> None:
    """A set keeps what it froze: rejecting that since leaves more in sets than is accepted."""
    curated.freeze(demo_space.database, "first", [1, 2, 3])
    ids = [row["id"] for row in demo_space.predictions.iter_rows(2)]
    ada = demo_space.acting_as(Person("Ada", Role.OPERATOR))
    ada.rule_on_all(ids, "reject", token="t" * 32)
    steps = html(open_page("overview"))
    shares = [float(share) for share in re.findall(r"([\d.]+) % of", steps)]
    assert len(shares) == 2
    assert max(shares) <= 100
    assert "rows, newest versions" in steps


def test_queues_that_are_not_done_wait_for_a_person(demo_space: Workspace, open_page: Open) -> None:
    queues = Queues(demo_space.database)
    first, second = [row["id"] for row in demo_space.predictions.iter_rows(1)][:2]
    for title, ids, listed in (("two left", [first, second], True), ("a look", [first], False)):
        queues.make(NewQueue(kind="filter", title=title, listed=listed), created_by="Ada", ids=ids)
    said = " ".join(element.value for element in open_page("overview").markdown)
    assert "two left: 0 of 2 done" in said
    assert "a look" not in said
    queues.set_closed(queues.newest()[0], True)
    said = " ".join(element.value for element in open_page("overview").markdown)
    assert "two left" not in said


def test_a_sample_is_asked_for_by_the_link_that_offers_one(
    demo_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    links: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(
        "dashboard.overview.waiting.page_link", lambda _page, words, **query: links.update({words: query})
    )
    open_page("overview")
    test = open_page("review", **links["Review a sample"])
    assert not test.exception
    assert test.selectbox(key="queue_kind").value == "audit_accepted"
