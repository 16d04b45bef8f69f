"""One training: its tabs, lineage, resuming, stopping and clearing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from backend.store.schema import jobs
from backend.store.schema import trainings as trainings_table
from backend.workspace import Workspace
from tests.dashboard.conftest import Open
from tests.dashboard.test_runs import buttons
from tests.dashboard.trainings import Trained, ended, fine, words

pytestmark = pytest.mark.usefixtures("nothing_starts")


@pytest.mark.parametrize("tab", ["curves", "checkpoints", "log", "settings", "lineage"])
def test_each_tab_opens_by_its_url(trained: Trained, open_page: Open, tab: str) -> None:
    trained()
    test = open_page("training", training="1", tab=tab)
    assert fine(test)
    assert test.session_state["tab"] == tab
    said = {
        "curves": "**Loss** of each step",
        "checkpoints": "**final** · a judge loads from it",
        "log": "The log is gone",
        "lineage": "Set **mixed@1**",
    }.get(tab, "")
    assert said in words(test)


def test_lineage_names_who_ruled(demo_space: Workspace, trained: Trained, open_page: Open) -> None:
    for prediction, name in ((3, "Bob"), (6, "Ada"), (1, "Ada")):
        demo_space.rulings.add(prediction, "accept", note="", tags=[], reviewer=name, token=None)
    demo_space.rulings.add(9, "accept", note="", tags=[], reviewer="Eve", token=None)
    demo_space.rulings.add(9, "undo", note="", tags=[], reviewer="Eve", token=None)
    demo_space.freeze("mixed", [1, 3])
    trained()
    said = words(open_page("training", training="1", tab="lineage"))
    assert "Set **mixed@2**" in said
    assert "2 rulings by **Ada**, 1 ruling by **Bob**." in said


def test_a_failed_training_says_why_and_can_be_resumed_or_cleared(
    trained: Trained, sets_space: Workspace, open_page: Open
) -> None:
    trained("failed", steps=9)
    test = open_page("training", training="1")
    (error,) = test.error
    said = error.value.replace("\\", "")
    assert "the loss is not a number at step 9" in said
    assert "lower *actor_learning_rate*, then [“Resume” on training 1](training?training=1)" in said
    test.button(key="resume_training").click().run()
    assert sets_space.trainings.get(1).status == "queued"
    ended(sets_space, 1, "interrupted")
    test = open_page("training", training="1")
    folder = Path(sets_space.trainings.get(1).output_dir)
    assert folder.exists()
    test.button(key="clear_training_1").click().run()
    assert not folder.exists()
    assert "Its folder is gone" in words(test)
    assert "Clear" not in buttons(test)


def test_a_queued_training_is_stopped(sets_space: Workspace, trained: Trained, open_page: Open) -> None:
    trained("queued")
    test = open_page("training", training="1")
    test.button(key="stop_training").click().run()
    assert sets_space.trainings.get(1).status == "cancelled"
    assert "Resume" in buttons(test)


def test_a_hint_of_an_older_winnow_is_shown_as_it_is(trained: Trained, sets_space: Workspace, open_page: Open) -> None:
    trained("failed", steps=9)
    with sets_space.database.write() as connection:
        connection.execute(update(jobs).values(hint="lower --fps, then `winnow train resume 1`"))
    (error,) = open_page("training", training="1").error
    assert "lower --fps, then `winnow train resume 1`" in error.value.replace("\\", "")


@pytest.mark.parametrize("tab", ["curves", "checkpoints", "log", "settings", "lineage"])
def test_a_deleted_folder_and_a_spec_of_another_version_are_one_line_each(
    trained: Trained, sets_space: Workspace, open_page: Open, tab: str
) -> None:
    shutil.rmtree(sets_space.trainings.get(trained()).output_dir)
    other = trained()
    with sets_space.database.write() as connection:
        connection.execute(
            update(trainings_table)
            .where(trainings_table.c.id == other)
            .values(spec={"trainer": "local", "model": "m", "future": 1})
        )
    gone = open_page("training", training="1", tab=tab)
    assert fine(gone)
    if tab in ("curves", "checkpoints"):
        assert "folder is gone" in words(gone)
    strange = open_page("training", training="2", tab=tab)
    assert not strange.exception
    assert len({error.value for error in strange.error}) <= 1
    for error in strange.error:
        assert "another version of Winnow" in error.value
    assert fine(open_page("training"))


def test_a_training_that_is_not_there_is_one_line(sets_space: Workspace, open_page: Open) -> None:
    (error,) = open_page("training", training="99").error
    assert "there is no training 99" in error.value


def test_a_long_curve_is_thinned_and_read_again_only_for_news(
    trained: Trained, sets_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.training.views import view_of

    trained("running", steps=5)
    read: list[int] = []
    real = type(sets_space.training_launcher).view

    def counted(self: Any, training_id: int) -> Any:
        read.append(training_id)
        return real(self, training_id)

    monkeypatch.setattr(type(sets_space.training_launcher), "view", counted)
    monkeypatch.setattr("dashboard.training.views.time.time", lambda: 1000.0)
    row = sets_space.trainings.get(1)
    view_of(sets_space, row)
    view_of(sets_space, row)
    assert read == [1]
    sets_space.trainings.set_progress(1, {"step": 6, "steps": 12})
    assert view_of(sets_space, sets_space.trainings.get(1)).row.progress["step"] == 6
    assert read == [1, 1]
