"""Measuring a training's checkpoint from its page."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.demo.judge import shipped_judge
from backend.domain.pairs import OrderPolicy
from backend.training.folder import FINAL
from backend.workspace import Workspace
from dashboard.training.results import Conditions, _newest
from tests.dashboard.conftest import Open
from tests.dashboard.trainings import Trained, fine, words

pytestmark = pytest.mark.usefixtures("nothing_starts")


def test_evaluate_suggests_a_held_out_dataset_and_starts_both_runs(
    trained: Trained, sets_space: Workspace, open_page: Open
) -> None:
    training = trained()
    test = open_page("training", training="1", tab="checkpoints")
    test.button(key=f"measure_1_{FINAL}").click().run()
    assert test.query_params["evaluate"] == FINAL
    dataset = test.selectbox(key="evaluate_dataset")
    assert [option.rpartition(" · ")[2] for option in dataset.options] == ["trained on"] * 2
    assert "a held-out one tells more" in words(test)
    test.selectbox(key="evaluate_order").set_value("both").run()
    test.number_input(key="evaluate_limit").set_value(3).run()
    assert test.checkbox(key="evaluate_before").value
    test.button(key="evaluate_start").click().run()
    assert fine(test)
    (one,) = sets_space.trainings.evaluations(training)
    after, before = sets_space.runs.get(one.run_id), sets_space.runs.get(one.run_id + 1)
    assert after.model.endswith(FINAL)
    assert before.model == str(shipped_judge())
    for run in (after, before):
        assert (run.spec["order"], run.spec["limit"], run.dataset) == ("both", 3, "clips")
    assert "evaluate" not in test.query_params
    assert "**final** on **clips**: queued" in words(test)
    assert "Before training: queued" in words(test)
    test = open_page("training", training="1", tab="checkpoints", evaluate=FINAL)
    test.selectbox(key="evaluate_order").set_value("both").run()
    test.number_input(key="evaluate_limit").set_value(3).run()
    assert not test.checkbox
    assert f"Run {before.id} of the model before training" in words(test)


def test_a_dataset_that_was_not_trained_on_comes_first(
    trained: Trained, sets_space: Workspace, open_page: Open
) -> None:
    trained()
    held = sets_space.folder / "media" / "t2i" / "pairs.json"
    sets_space.add_dataset(name="fresh", spec=f"hpdv3:{held}", check_media=False)
    sets_space.add_dataset(name="again", spec=f"hpdv3:{held}", check_media=False)
    test = open_page("training", training="1", tab="checkpoints", evaluate=FINAL)
    assert test.selectbox(key="evaluate_dataset").value in ("fresh", "again")
    assert "held out" in test.selectbox(key="evaluate_dataset").options[0]


def test_beside_an_evaluation_stands_the_newest_run_in_the_very_order(demo_space: Workspace) -> None:
    run = demo_space.runs.get(1)
    orders = ["both", "shuffled", "both", "shuffled", "dataset"]
    runs = [replace(run, id=number, spec={**run.spec, "order": order}) for number, order in enumerate(orders)]
    view: Any = SimpleNamespace(spec=SimpleNamespace(model=run.model))
    found = {}
    for order in (*OrderPolicy, None):
        wanted = Conditions(run.dataset, order, run.spec.get("limit"), "hpdv3")
        newest = _newest(runs, view, wanted)
        found[order] = newest and newest.id
    assert found == {"both": 2, "shuffled": 3, "dataset": 4, None: 3}
