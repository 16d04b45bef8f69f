"""The page Training: list, form with checks, one training with its tabs, curves compared, Evaluate."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from backend.demo.judge import shipped_judge
from backend.domain.people import Person, Role
from backend.store.schema import jobs
from backend.store.schema import runs as runs_table
from backend.store.schema import trainings as trainings_table
from backend.training.base import Metric
from backend.training.folder import FINAL, METRICS, claim
from backend.training.launch import owner
from backend.training.local.checkpoints import STATE
from backend.training.spec import LoraSpec
from backend.workspace import Workspace
from dashboard.training.words import on_page
from tests.dashboard.conftest import Open
from tests.dashboard.test_runs import buttons, html
from tests.old_sets import freeze_as

HOSTILE = '<img src=x onerror="alert(1)"> **bold** [x](javascript:x) $x$ \u202e'


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is queued stays so; the processes are tested in tests/integration and tests/browser."""
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)


@pytest.fixture
def as_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    eve = Person("eve", Role.REVIEWER)
    monkeypatch.setattr("dashboard.identity.present_person", lambda: eve)


@pytest.fixture
def sets_space(demo_space: Workspace) -> Workspace:
    """The workspace with two sets: ``signs`` of images, ``mixed`` of images and videos."""
    demo_space.freeze("signs", [1])
    demo_space.freeze("mixed", [1, 3])
    return demo_space


Trained = Callable[..., int]


@pytest.fixture
def trained(sets_space: Workspace) -> Trained:
    """``trained(status)`` is a training that ended so, with twelve steps and two checkpoints."""

    def make(status: str = "finished", *, steps: int = 12, **values: Any) -> int:
        space = sets_space
        values = {"model": str(shipped_judge()), "device": "cpu", **values}
        name = f"out-{len(space.trainings.list())}"
        spec = space.trainer.spec(
            ["mixed"], trainer="local", output_dir=str(space.folder / name), **values
        )
        training = space.trainer.start(spec)
        folder = Path(spec.output_dir)
        claim(folder, owner(space.folder, training), spec)
        metrics = [
            Metric(step=n, loss=3 / n, learning_rate=1e-4, samples_per_s=5.0, time=float(n))
            for n in range(1, steps + 1)
        ]
        lines = [{k: getattr(m, k) for k in Metric.__dataclass_fields__} for m in metrics]
        (folder / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines))
        for place in ("checkpoints/step-000006", FINAL):
            shutil.copytree(shipped_judge(), folder / place)
            sizes = {"config.json": (folder / place / "config.json").stat().st_size}
            (folder / place / STATE).write_text(json.dumps({"step": 6, "files": sizes}))
        space.trainings.set_progress(
            training, {"stage": "training", "step": steps, "steps": 12, "loss": 3 / steps}
        )
        ended(space, training, status)
        return training

    return make


def ended(space: Workspace, training: int, status: str) -> None:
    job = space.trainings.get(training).job_id
    said = (
        "the loss is not a number at step 9",
        "lower --actor-learning-rate, then `winnow train resume 1`",
    )
    error, hint = said if status == "failed" else (None, None)
    with space.database.write() as connection:
        connection.execute(
            update(jobs).where(jobs.c.id == job).values(
                status=status, error=error, hint=hint, started_at=1.0, finished_at=61.0
            )
        )  # fmt: skip


def fine(test: AppTest) -> bool:
    return not test.exception and not test.error


def words(test: AppTest) -> str:
    parts = [*test.markdown, *test.caption, *test.subheader, *test.error, *test.code]
    return "\n".join(str(one.value) for one in parts).replace("\\", "")


def checked(test: AppTest) -> AppTest:
    """The page once its preflight, which goes on in the background, has been done."""
    deadline = time.monotonic() + 60
    while "Start is possible once everything" in words(test) and time.monotonic() < deadline:
        time.sleep(0.2)
        test.run()
    return test


def form(open_page: Open, **query: str) -> AppTest:
    return checked(open_page("training", **({"new": "1", "set": "mixed"} | query)))


def with_model(test: AppTest) -> AppTest:
    test.selectbox(key="training_model").set_value(str(shipped_judge()))
    return checked(test.run())


def test_without_a_set_the_page_leads_to_curate(empty_space: Workspace, open_page: Open) -> None:
    assert "No trainings yet" in words(open_page("training"))
    test = open_page("training", new="1")
    assert fine(test)
    assert "No set to train on" in words(test)
    assert "Start training" not in buttons(test)


def test_the_form_shows_sets_with_counts_checks_and_the_command_and_starts(
    sets_space: Workspace, open_page: Open
) -> None:
    test = form(open_page)
    assert fine(test)
    chosen = test.multiselect(key="training_sets")
    assert chosen.value == ["mixed@1"]
    counts = sets_space.trainer._set("mixed").counts
    assert any(f"{counts['image']} images, {counts['video']} videos" in o for o in chosen.options)
    assert "Choose a model" in words(test)
    with_model(test)
    folder = sets_space.folder / "trainings" / "mixed-1"
    assert f"✓ **Output folder** {folder}" in words(test)
    command = test.code[0].value
    assert command.endswith(
        f"train start --set mixed@1 --model {shipped_judge()} --output-dir {folder}"
    )
    assert "-m backend.training.local" in test.code[1].value
    assert buttons(test)["Start training"]
    test.button(key="training_start").click().run()
    assert fine(test)
    row = sets_space.trainings.get(1)
    assert (row.status, row.output_dir, row.trainer) == ("queued", str(folder), "local")
    assert test.query_params["training"] == "1"
    assert "Stop" in buttons(test)


def test_a_set_is_offered_to_the_judge_whose_answers_it_holds(
    sets_space: Workspace, open_page: Open
) -> None:
    with sets_space.database.write() as connection:
        changed = {"engine": "transformers", "model": str(shipped_judge())}
        connection.execute(update(runs_table).where(runs_table.c.id == 3).values(changed))
    assert form(open_page, set="mixed").selectbox(key="training_model").value == str(
        shipped_judge()
    )
    assert form(open_page, set="signs").selectbox(key="training_model").value is None


def test_a_failed_check_keeps_start_disabled_and_says_why_in_the_forms_words(
    sets_space: Workspace, trained: Trained, open_page: Open, tmp_path: Path
) -> None:
    shutil.copytree(shipped_judge(), tmp_path / "moved")
    trained(model=str(tmp_path / "moved"))
    shutil.rmtree(tmp_path / "moved")
    test = form(open_page, set="", **{"from": "1"})
    assert not buttons(test)["Start training"]
    assert "✕ **Model**" in words(test)
    assert "Start is possible once this is settled: Model" in words(test)
    with_model(test)
    assert buttons(test)["Start training"]
    next((sets_space.folder / "media" / "t2i").glob("000-win.jpg")).unlink()
    test.run()
    assert buttons(test)["Start training"]  # what was found is not looked for again at each key
    test.button(key="training_check").click().run()
    assert not buttons(checked(test))["Start training"]
    assert "✕ **Media** 1 files are missing" in words(test)


def test_a_field_that_is_out_of_range_is_one_line(sets_space: Workspace, open_page: Open) -> None:
    test = with_model(form(open_page))
    test.text_area(key="training_lora_target_modules").set_value("q_proj")
    test.number_input(key="training_actor_learning_rate").set_value(0.0).run()
    (error,) = test.error
    assert "actor" in error.value
    assert "learning" in error.value


def test_only_what_the_trainer_reads_is_asked_and_kept(
    sets_space: Workspace, open_page: Open
) -> None:
    test = with_model(form(open_page))
    test.number_input(key="training_max_steps").set_value(7).run()
    assert "--max-steps 7" in checked(test).code[0].value
    test.selectbox(key="training_trainer").set_value("lightrft").run()
    checked(test)
    names = {field.label for field in [*test.number_input, *test.selectbox]}
    assert {"zero_stage", "nnodes", "master_port"} <= names
    assert "max_steps" not in names
    assert "Five steps" not in buttons(test)
    assert "--max-steps" not in test.code[0].value
    assert "✕ **LightRFT** LIGHTRFT_HOME is not set" in words(test)
    assert not buttons(test)["Start training"]
    test.selectbox(key="training_trainer").set_value("local").run()
    assert test.number_input(key="training_max_steps").value == 7


def test_several_machines_get_a_line_each(sets_space: Workspace, open_page: Open) -> None:
    test = with_model(form(open_page))
    test.number_input(key="training_nnodes").set_value(2)
    test.number_input(key="training_gpus_per_node").set_value(4)
    test.text_input(key="training_master_addr").set_value("10.0.0.1").run()
    checked(test)
    lines = [one.value for one in test.code if "torch.distributed.run" in one.value]
    assert [f"--node_rank {rank}" in line for rank, line in enumerate(lines)] == [True, True]
    assert "machine 0, this one" in words(test)


def test_a_command_asks_for_what_its_places_name(sets_space: Workspace, open_page: Open) -> None:
    test = with_model(form(open_page))
    test.selectbox(key="training_trainer").set_value("command").run()
    assert "✕ **Command** no command is given" in words(checked(test))
    test.button(key="example_LLaMA-Factory").click().run()
    checked(test)
    names = {field.label for field in test.number_input}
    assert {"actor_learning_rate", "train_batch_size", "save_steps"} <= names
    assert not {"zero_stage", "max_steps", "validation"} & names
    assert "--trainer command" in test.code[0].value
    assert "--data-format sharegpt" in test.code[0].value
    assert "there is no program llamafactory-cli" in words(test)
    test.text_area(key="training_command").set_value("sh -c 'true {output}").run()
    assert any("cannot be read" in error.value for error in test.error)


def test_presets_fill_the_form(sets_space: Workspace, open_page: Open) -> None:
    test = with_model(form(open_page))
    test.text_input(key="training_device").set_value("cpu")
    test.button(key="training_preset_lora").click().run()
    assert "--actor-learning-rate 0.0001 --lora" in checked(test).code[0].value
    assert "--device cpu" in test.code[0].value
    test.button(key="training_preset_smoke").click().run()
    line = checked(test).code[0].value
    assert "--lora" not in line
    assert "--max-steps 5" in line
    assert "--device cpu" in line


def test_train_again_starts_from_what_the_training_was(trained: Trained, open_page: Open) -> None:
    trained("finished", lora=LoraSpec(rank=4), max_epochs=9)
    test = form(open_page, set="", **{"from": "1"})
    line = test.code[0].value
    assert "--set mixed@1" in line
    assert "--max-epochs 9 --lora --lora-rank 4 --device cpu" in line
    assert "trainings/mixed-1" in line  # not the folder of the other one


def test_hostile_names_are_text_everywhere(
    sets_space: Workspace, trained: Trained, open_page: Open
) -> None:
    freeze_as(sets_space, HOSTILE[:60].replace("@", ""), [2])
    training = trained()
    with sets_space.database.write() as connection:
        connection.execute(
            update(trainings_table)
            .where(trainings_table.c.id == training)
            .values(model=HOSTILE, sets={"sets": [{"id": 3, "name": HOSTILE, "version": 1,
                                                  "content_hash": "x"}]})
        )  # fmt: skip
    pages = [
        form(open_page, set=HOSTILE[:60]),
        open_page("training"),
        *(
            open_page("training", training="1", tab=tab)
            for tab in ("curves", "checkpoints", "lineage")
        ),
    ]
    for test in pages:
        assert fine(test)
        drawn = html(test) + "".join(
            m.value for m in test.markdown if getattr(m.proto, "allow_html", False)
        )
        assert "<img" not in drawn
        assert "\u202e" not in drawn
        for one in [*test.markdown, *test.caption]:
            assert "**bold**" not in one.value
    assert "&lt;img src=x" in html(pages[1])


def test_a_reviewer_sees_everything_and_can_start_nothing(
    trained: Trained, sets_space: Workspace, as_reviewer: None, open_page: Open
) -> None:
    for status in ("finished", "interrupted"):
        number = str(_as_operator(trained, status))
        for tab in ("curves", "checkpoints", "log", "settings", "lineage"):
            test = open_page("training", training=number, tab=tab, evaluate=FINAL)
            assert fine(test)
            changing = {"Stop", "Resume", "Clear", "Delete this folder", "Train again with changes",
                        "Evaluate", "Start"}  # fmt: skip
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
        sets_space.trainings.add_evaluation(
            connection, run_id=1, training_id=training, checkpoint="x"
        )
    test = open_page("training")
    assert fine(test)
    cards = html(test)
    assert "1 training under way" in words(test)
    assert cards.index("▶ running") < cards.index("✓ finished")
    assert "mixed@1 · local" in cards
    assert "3 of 12" in cards
    assert "0.25" in cards
    assert "66.7 % (45–83) on pictures" in cards


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
    assert "lower actor_learning_rate, then Resume" in said
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


def test_a_queued_training_is_stopped(
    sets_space: Workspace, trained: Trained, open_page: Open
) -> None:
    trained("queued")
    test = open_page("training", training="1")
    test.button(key="stop_training").click().run()
    assert sets_space.trainings.get(1).status == "cancelled"
    assert "Resume" in buttons(test)


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


def test_a_long_curve_is_thinned_and_read_again_only_for_news(
    trained: Trained, sets_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.training.views import view_of

    trained("running", steps=5)
    read: list[int] = []
    real = type(sets_space.trainer).view

    def counted(self: Any, training_id: int) -> Any:
        read.append(training_id)
        return real(self, training_id)

    monkeypatch.setattr(type(sets_space.trainer), "view", counted)
    monkeypatch.setattr("dashboard.training.views.time.time", lambda: 1000.0)
    row = sets_space.trainings.get(1)
    view_of(sets_space, row)
    view_of(sets_space, row)
    assert read == [1]
    sets_space.trainings.set_progress(1, {"step": 6, "steps": 12})
    assert view_of(sets_space, sets_space.trainings.get(1)).row.progress["step"] == 6
    assert read == [1, 1]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("lower --max-ckpt-num, use --lora", "lower max_ckpt_num, use lora"),
        ("`winnow train resume 12` goes on", "Resume goes on"),
        ("pip install --upgrade x", "pip install --upgrade x"),
    ],
)
def test_hints_name_fields_and_buttons(said: str, shown: str) -> None:
    assert on_page(said) == shown
