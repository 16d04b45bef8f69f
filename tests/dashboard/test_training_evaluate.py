"""Measuring a training's checkpoint from its page."""

from __future__ import annotations

import pytest

from backend.demo.judge import shipped_judge
from backend.training.folder import FINAL
from backend.workspace import Workspace
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
