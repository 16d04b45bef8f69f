"""Any other trainer, by a template of arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_folders import Prepare

from backend.domain.preflight import Level
from backend.errors import UsageError
from backend.training.command import CommandTrainer, dataset_names, split_template

TRAINER = CommandTrainer()


def test_places_are_filled_inside_one_argument_and_never_become_two(
    prepare: Prepare,
) -> None:
    template = split_template("swift sft --dataset {data} --lr={actor_learning_rate} '{output} x'")
    folder, spec = prepare(
        "a b; touch owned", sets=("clips",), trainer="command", command=template,
        data_format="sharegpt",
    )  # fmt: skip
    argv = TRAINER.command(spec, folder).argv
    assert argv == (
        "swift", "sft", "--dataset", str(folder / "data/set-3/winnow.json"), "--lr=0.001",
        f"{folder / 'model'} x",
    )  # fmt: skip
    assert Path(argv[3]).is_file()


def test_braces_that_are_no_place_stay_and_unknown_places_are_refused(
    prepare: Prepare,
) -> None:
    folder, spec = prepare(
        sets=("clips",), trainer="command", command=("t", '{"a": {}}', "{output}")
    )
    assert TRAINER.command(spec, folder).argv[1] == '{"a": {}}'
    folder, spec = prepare(sets=("clips",), name="b", trainer="command", command=("t", "{nosuch}"))
    with pytest.raises(UsageError, match="nosuch") as caught:
        TRAINER.command(spec, folder)
    assert caught.value.hint and "{data}" in caught.value.hint
    assert [check.level for check in TRAINER.preflight(spec)] == [Level.FAIL]


def test_an_unclosed_quote_is_one_line() -> None:
    with pytest.raises(UsageError, match="quot"):
        split_template("train 'x")


def test_llama_factory_finds_every_set_in_one_dataset_info(prepare: Prepare) -> None:
    folder, spec = prepare(
        sets=("images", "mixed"),
        trainer="command",
        command=("t", "{dataset}"),
        data_format="sharegpt",
    )
    info = json.loads((folder / "data" / "dataset_info.json").read_text())
    assert TRAINER.command(spec, folder).argv[1].split(",") == dataset_names(folder)
    assert set(dataset_names(folder)) == set(info)
    for entry in info.values():
        rows = json.loads((folder / "data" / entry["file_name"]).read_text())
        column = next(
            entry["columns"][kind] for kind in ("images", "videos") if kind in entry["columns"]
        )
        assert rows and all(len(row[column]) == 2 for row in rows)


def test_metrics_of_other_trainers_logs_are_read(prepare: Prepare) -> None:
    folder, _ = prepare(sets=("clips",), trainer="command", command=("t",))
    save = folder / "model" / "v0"
    save.mkdir(parents=True)
    (save / "logging.jsonl").write_text(
        '{"loss": 0.5, "learning_rate": 1e-05, "global_step/max_steps": "5/10"}\n{"cut'
    )
    (metric,) = TRAINER.metrics(folder)
    assert (metric.step, metric.loss, metric.learning_rate) == (5, 0.5, 1e-5)
    (folder / "model" / "trainer_log.jsonl").write_text(
        '{"current_steps": 7, "total_steps": 9, "loss": 0.25, "lr": 1e-06}\n'
    )
    assert [m.step for m in TRAINER.metrics(folder)] == [5, 7]
