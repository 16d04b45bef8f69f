"""The page Training: list, curves compared, hostile names, and what a reviewer sees of it."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, update

from backend.store.schema import jobs
from backend.store.schema import trainings as trainings_table
from backend.training.folder import FINAL
from backend.workspace import Workspace
from tests.dashboard.conftest import Open
from tests.dashboard.test_runs import buttons, html
from tests.dashboard.trainings import Trained, fine, form, words
from tests.old_sets import freeze_as

pytestmark = pytest.mark.usefixtures("nothing_starts")
HOSTILE = '<img src=x onerror="alert(1)"> **bold** [x](javascript:x) $x$ \u202e'


def test_hostile_names_are_text_everywhere(sets_space: Workspace, trained: Trained, open_page: Open) -> None:
    freeze_as(sets_space, HOSTILE[:60].replace("@", ""), [2])
    training = trained()
    with sets_space.database.write() as connection:
        connection.execute(
            update(trainings_table)
            .where(trainings_table.c.id == training)
            .values(model=HOSTILE, sets={"sets": [{"id": 3, "name": HOSTILE, "version": 1, "content_hash": "x"}]})
        )
    pages = [
        form(open_page, set=HOSTILE[:60]),
        open_page("training"),
        *(open_page("training", training="1", tab=tab) for tab in ("curves", "checkpoints", "lineage")),
    ]
    for test in pages:
        assert fine(test)
        drawn = html(test) + "".join(m.value for m in test.markdown if getattr(m.proto, "allow_html", False))
        assert "<img" not in drawn
        assert "\u202e" not in drawn
        for one in [*test.markdown, *test.caption]:
            assert "**bold**" not in one.value
    assert "&lt;img src=x" in html(pages[1])


def test_a_training_and_a_run_took_what_all_their_attempts_worked(
    sets_space: Workspace, trained: Trained, open_page: Open
) -> None:
    trained(status="finished")  # its last attempt took a minute
    first = sets_space.runs.get(1)
    with sets_space.database.write() as connection:
        connection.execute(update(jobs).values(attempt=3, earlier_s=7_140.0))
        job = connection.execute(
            insert(jobs).values(
                kind="run",
                status="finished",
                argv={"argv": ["true"]},
                env={},
                devices="cpu",
                log_path="log",
                attempt=2,
                cancel_requested=False,
                created_at=1.0,
                started_at=1.0,
                finished_at=61.0,
                earlier_s=3_540.0,
            )
        ).inserted_primary_key
        assert job is not None
        run = sets_space.runs.add(
            connection,
            dataset_id=first.dataset_id,
            model="m",
            engine="transformers",
            spec=first.spec,
            policy=first.policy,
            total=8,
            job_id=int(job[0]),
        )
    assert "<em>took</em>2.0 h" in html(open_page("training"))
    assert "<em>took</em>60 min" in html(open_page("runs", run=str(run)))


def test_a_reviewer_sees_everything_and_can_start_nothing(
    trained: Trained, sets_space: Workspace, as_reviewer: None, open_page: Open
) -> None:
    for status in ("finished", "interrupted"):
        number = str(_as_operator(trained, status))
        for tab in ("curves", "checkpoints", "log", "settings", "lineage"):
            test = open_page("training", training=number, tab=tab, evaluate=FINAL)
            assert fine(test)
            changing = {
                "Stop",
                "Resume",
                "Clear",
                "Delete this folder",
                "Train again with changes",
                "Evaluate",
                "Start",
            }
            assert not changing & set(buttons(test))
    assert "New training" not in buttons(open_page("training"))
    test = open_page("training", new="1")
    assert "Operators start trainings" in words(test)
    assert not test.multiselect


def _as_operator(trained: Trained, status: str) -> int:
    return trained(status)  # the fixture's workspace is the operator's; pages are the reviewer's


def test_the_list_shows_sets_trainer_state_loss_and_what_was_measured(
    trained: Trained, sets_space: Workspace, open_page: Open
) -> None:
    training = trained("finished")
    trained("running", steps=3)
    with sets_space.database.write() as connection:
        sets_space.trainings.add_evaluation(connection, run_id=1, training_id=training, checkpoint="x")
    test = open_page("training")
    assert fine(test)
    cards = html(test)
    assert "1 training under way" in words(test)
    assert cards.index("▶ running") < cards.index("✓ finished")
    assert "mixed@1 · local" in cards
    assert "3 of 12" in cards
    assert "0.25" in cards
    assert "66.7 % (45–83) on pictures" in cards


def test_two_trainings_curves_lie_over_each_other(trained: Trained, open_page: Open) -> None:
    trained(max_epochs=3)
    trained(max_epochs=4, steps=6)
    test = open_page("training", compare="1,2")
    assert fine(test)
    assert "**Loss** of each step" in words(test)
    loss = json.loads(test.get("plotly_chart")[0].proto.spec)
    assert [len(trace["x"]) for trace in loss["data"] if trace["mode"] == "lines"] == [12, 6]
    shown = {note["text"] for note in loss["layout"]["annotations"]}
    assert {text.rpartition("</span> ")[2] for text in shown} == {"A · 1", "B · 2"}
    differ = test.dataframe[-1].value
    assert list(differ["option"]) == ["output_dir", "max_epochs"]
    test.selectbox(key="compare_1").set_value(1).run()
    assert test.query_params["compare"] == "1,1"
    assert "one and the same" in words(test)
