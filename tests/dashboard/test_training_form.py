"""The form of a training: sets, fields, presets, checks, the command, and starting it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import update

from backend.curation.sets import get_set
from backend.demo.judge import shipped_judge
from backend.store.schema import runs as runs_table
from backend.training.spec import LoraSpec
from backend.workspace import Workspace
from tests.dashboard.conftest import Open
from tests.dashboard.test_runs import buttons
from tests.dashboard.trainings import Trained, checked, fine, form, with_model, words

pytestmark = pytest.mark.usefixtures("nothing_starts")


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
    counts = get_set(sets_space.database, "mixed").counts
    assert any(f"{counts['image']} images, {counts['video']} videos" in o for o in chosen.options)
    assert "Choose a model" in words(test)
    with_model(test)
    folder = sets_space.folder / "trainings" / "mixed-1"
    assert f"✓ **Output folder** {folder}" in words(test)
    command = test.code[0].value
    assert command.endswith(f"train start --set mixed@1 --model {shipped_judge()} --output-dir {folder}")
    assert "-m backend.training.local" in test.code[1].value
    assert buttons(test)["Start training"]
    test.button(key="training_start").click().run()
    assert fine(test)
    row = sets_space.trainings.get(1)
    assert (row.status, row.output_dir, row.trainer) == ("queued", str(folder), "local")
    assert test.query_params["training"] == "1"
    assert "Stop" in buttons(test)


def test_a_set_is_offered_to_the_judge_whose_answers_it_holds(sets_space: Workspace, open_page: Open) -> None:
    with sets_space.database.write() as connection:
        changed = {"engine": "transformers", "model": str(shipped_judge())}
        connection.execute(update(runs_table).where(runs_table.c.id == 3).values(changed))
    assert form(open_page, set="mixed").selectbox(key="training_model").value == str(shipped_judge())
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
    assert "✕ **Media** 1 file is missing" in words(test)


def test_the_folder_of_another_training_is_named_with_a_link_to_it_and_no_command(
    sets_space: Workspace, trained: Trained, open_page: Open
) -> None:
    trained()
    test = with_model(form(open_page))
    test.text_input(key="training_output_dir").set_value(sets_space.trainings.get(1).output_dir).run()
    (said,) = [one.value for one in checked(test).markdown if "✕ **Output folder**" in one.value]
    assert "holds another training" in said
    assert "see [training 1](training?training=1); give another *Output folder*, or delete what is in it" in said
    assert "--" not in said and "`" not in said


def test_a_field_that_is_out_of_range_is_one_line(sets_space: Workspace, open_page: Open) -> None:
    test = with_model(form(open_page))
    test.text_area(key="training_lora_target_modules").set_value("q_proj")
    test.number_input(key="training_actor_learning_rate").set_value(0.0).run()
    (error,) = test.error
    assert "actor" in error.value
    assert "learning" in error.value


def test_only_what_the_trainer_reads_is_asked_and_kept(sets_space: Workspace, open_page: Open) -> None:
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
    assert {"actor_learning_rate", "train_batch_size", "save_steps", "max_pixels"} <= names
    assert not {"zero_stage", "l2", "validation"} & names
    assert "--trainer command" in test.code[0].value
    assert "--data-format sharegpt" in test.code[0].value
    assert "there is no program llamafactory-cli" in words(test)
    test.text_area(key="training_command").set_value("sh -c 'true {output}").run()
    assert any("cannot be read" in error.value for error in test.error)


def test_presets_fill_the_form(sets_space: Workspace, open_page: Open) -> None:
    test = with_model(form(open_page))
    test.text_input(key="training_device").set_value("cpu")
    test.button(key="training_preset_lora").click().run()
    assert "--lora --actor-learning-rate 0.0001" in checked(test).code[0].value
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
    assert "--lora --lora-rank 4 --max-epochs 9 --device cpu" in line
    assert "trainings/mixed-1" in line  # not the folder of the other one
