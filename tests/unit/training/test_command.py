"""Any other trainer, by a template of arguments."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from training_folders import Prepare

from backend.domain.preflight import Level
from backend.errors import UsageError
from backend.export.formats import FORMATS
from backend.training.command import CommandTrainer, dataset_names, split_template
from backend.training.data import data_files

TRAINER = CommandTrainer()

EMPTY = (2).to_bytes(8, "little") + b"{}"
"""A whole ``.safetensors`` file without a tensor."""


def test_places_are_filled_inside_one_argument_and_never_become_two(prepare: Prepare) -> None:
    template = split_template("swift sft --dataset {data} --lr={actor_learning_rate} '{output} x'")
    folder, spec = prepare(
        "a b; touch owned", sets=("clips",), trainer="command", command=template, data_format="sharegpt"
    )
    argv = TRAINER.command(spec, folder).argv
    assert argv == (
        "swift",
        "sft",
        "--dataset",
        str(folder / "data/set-3/winnow.json"),
        "--lr=0.001",
        f"{folder / 'model'} x",
    )
    assert Path(argv[3]).is_file()


def test_braces_that_are_no_place_stay_and_unknown_places_are_refused(prepare: Prepare) -> None:
    folder, spec = prepare(sets=("clips",), trainer="command", command=("t", '{"a": {}}', "{output}"))
    assert TRAINER.command(spec, folder).argv[1] == '{"a": {}}'
    folder, spec = prepare(sets=("clips",), name="b", trainer="command", command=("t", "{nosuch}"))
    with pytest.raises(UsageError, match="nosuch") as caught:
        TRAINER.command(spec, folder)
    assert caught.value.hint and "{data}" in caught.value.hint
    assert [check.level for check in TRAINER.preflight(spec)] == [Level.FAIL]


@pytest.mark.parametrize(("steps", "word"), [(5, "5"), (None, "-1")])
def test_a_limit_of_steps_has_a_place_and_no_limit_is_minus_one(prepare: Prepare, steps: int | None, word: str) -> None:
    folder, spec = prepare(
        sets=("clips",),
        trainer="command",
        max_steps=steps,
        max_norm=0.5,
        command=("sh", "--max_steps", "{max_steps}", "--max_grad_norm={max_norm}", "{output}"),
    )
    assert TRAINER.command(spec, folder).argv[2:4] == (word, "--max_grad_norm=0.5")
    assert [check.name for check in TRAINER.preflight(spec)] == ["Command"]


def test_a_limit_of_steps_that_the_command_does_not_name_is_warned_of(prepare: Prepare) -> None:
    _, spec = prepare(sets=("clips",), trainer="command", max_steps=5, command=("sh", "{output}"))
    checks = {check.name: check for check in TRAINER.preflight(spec)}
    assert checks["Steps"].level is Level.WARN and "{max_steps}" in checks["Steps"].message


def test_several_files_in_one_argument_are_warned_of(prepare: Prepare) -> None:
    """ms-swift takes one file there; others split it at the commas."""
    for sets, level in ((("clips",), None), (("mixed",), Level.WARN), (("clips", "images"), Level.WARN)):
        _, spec = prepare(
            "-".join(sets), sets=sets, trainer="command", data_format="sharegpt", command=("sh", "{data}", "{output}")
        )
        checks = {check.name: check for check in TRAINER.preflight(spec)}
        assert (checks["Data"].level if "Data" in checks else None) == level
        elsewhere = spec.model_copy(update={"command": ("sh", "{dataset}", "{output}")})
        assert "Data" not in {check.name for check in TRAINER.preflight(elsewhere)}


def test_a_checkpoint_whose_weights_were_cut_off_is_no_judge(prepare: Prepare) -> None:
    folder, _ = prepare(sets=("clips",), trainer="command", command=("t",))
    for name in ("checkpoint-1", "checkpoint-2", "."):
        path = folder / "model" / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.json").write_text("{}")
        (path / "model.safetensors").write_bytes(EMPTY)
    (folder / "model" / "checkpoint-2" / "model.safetensors").write_bytes(EMPTY[:-1])
    found = [(one.step, one.judge) for one in TRAINER.checkpoints(folder)]
    assert found == [(1, True), (2, False), (None, True)]


def test_an_unclosed_quote_is_one_line() -> None:
    with pytest.raises(UsageError, match="quot"):
        split_template("train 'x")


def test_llama_factory_finds_every_set_in_one_dataset_info(prepare: Prepare) -> None:
    folder, spec = prepare(
        sets=("images", "mixed"), trainer="command", command=("t", "{dataset}"), data_format="sharegpt"
    )
    info = json.loads((folder / "data" / "dataset_info.json").read_text())
    names = dataset_names(data_files(folder))
    assert TRAINER.command(spec, folder).argv[1].split(",") == names
    assert set(names) == set(info)
    for entry in info.values():
        rows = json.loads((folder / "data" / entry["file_name"]).read_text())
        column = next(entry["columns"][kind] for kind in ("images", "videos") if kind in entry["columns"])
        assert rows and all(len(row[column]) == 2 for row in rows)


@pytest.mark.parametrize("data_format", list(FORMATS))
def test_the_command_that_is_shown_before_the_export_is_the_one_that_is_started(
    prepare: Prepare, tmp_path: Path, data_format: str
) -> None:
    template = ("t", "{data}", "{validation_data}", "{data_dir}", "{dataset}", "{output}")
    folder, spec = prepare(
        sets=("images", "mixed"), trainer="command", command=template, data_format=data_format, validation=0.3
    )
    shown = TRAINER.command(spec, tmp_path / "not-yet").argv
    started = TRAINER.command(spec, folder).argv
    assert [word.replace(str(tmp_path / "not-yet"), str(folder)) for word in shown] == list(started)
    assert all(started)


class Vanishing:
    """A folder's entries as they were a moment ago: one of them is gone by now."""

    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return self._entries

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)

    def __enter__(self) -> Vanishing:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_an_old_checkpoint_that_is_deleted_while_it_is_looked_at_is_passed_over(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLaMA-Factory and ms-swift do so with ``save_total_limit``, whenever they like."""
    folder, _ = prepare(sets=("clips",), trainer="command", command=("t",))
    save = folder / "model" / "v0"
    log = '{"loss": 0.5, "global_step/max_steps": "5/10"}\n'

    def fill() -> None:
        for step in (1, 2):
            (save / f"checkpoint-{step}" / "logs").mkdir(parents=True, exist_ok=True)
            (save / f"checkpoint-{step}" / "config.json").write_text("{}")
            (save / f"checkpoint-{step}" / "logging.jsonl").write_text(log)

    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        within = str(path) == str(save)
        if within:
            fill()
        with real(path) as found:
            entries = list(found)
        # As the trainer does it, at the worst moment: known, and not yet looked into.
        if within:
            shutil.rmtree(save / "checkpoint-1", ignore_errors=True)
        return Vanishing(entries)

    for look in (TRAINER.metrics, TRAINER.checkpoints):
        fill()
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", scandir)
            found = look(folder)
        assert [one.step for one in found] == [5 if look == TRAINER.metrics else 2]


def test_metrics_of_other_trainers_logs_are_read(prepare: Prepare) -> None:
    folder, _ = prepare(sets=("clips",), trainer="command", command=("t",))
    save = folder / "model" / "v0"
    save.mkdir(parents=True)
    (save / "logging.jsonl").write_text('{"loss": 0.5, "learning_rate": 1e-05, "global_step/max_steps": "5/10"}\n{"cut')
    (metric,) = TRAINER.metrics(folder)
    assert (metric.step, metric.loss, metric.learning_rate) == (5, 0.5, 1e-5)
    (folder / "model" / "trainer_log.jsonl").write_text(
        '{"current_steps": 7, "total_steps": 9, "loss": 0.25, "lr": 1e-06}\n'
    )
    assert [m.step for m in TRAINER.metrics(folder)] == [5, 7]
