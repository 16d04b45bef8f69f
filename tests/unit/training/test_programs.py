"""What the known programs are told of a judge, and where they would train on something else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from training_folders import Prepare

from backend.domain.pairs import MediaKind
from backend.domain.preflight import Level
from backend.errors import UsageError
from backend.export.formats import FORMATS
from backend.training.command import CommandTrainer
from backend.training.data import data_files
from backend.training.programs import program_checks

TRAINER = CommandTrainer()


def judge(folder: Path, source: Path, *, template: bool = True, **config: object) -> Path:
    """A judge's folder without its weights, some of its configuration changed."""
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json", "chat_template.jinja"):
        shutil.copy(source / name, folder)
    if not template:
        (folder / "chat_template.jinja").unlink()
    made = json.loads((folder / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(made))
    return folder


def test_each_file_of_the_sets_becomes_an_argument_where_its_place_stands_alone(prepare: Prepare) -> None:
    given = {"sets": ("mixed", "images"), "trainer": "command", "data_format": "sharegpt"}
    folder, spec = prepare(**given, command=("t", "--dataset", "{data_files}", "--x", "{output}"))
    argv = TRAINER.command(spec, folder).argv
    files = [str(file.path) for file in data_files(folder)]
    assert len(files) == 3 and argv == ("t", "--dataset", *files, "--x", str(folder / "model"))
    assert all(Path(file).is_file() for file in files)
    folder, spec = prepare("b", **given, command=("t", "--dataset={data_files}"))
    with pytest.raises(UsageError, match="stands alone"):
        TRAINER.command(spec, folder)


@pytest.mark.parametrize(
    ("device", "given", "said"),
    [
        ("cpu", "auto", "false float32"),
        ("cpu", "yes", "true bfloat16"),
        ("cuda:0", "auto", "true bfloat16"),
        ("auto", "no", "false float32"),
    ],
)
def test_the_precision_is_the_specs(prepare: Prepare, device: str, given: str, said: str) -> None:
    folder, spec = prepare(
        sets=("clips",), trainer="command", device=device, bf16=given, command=("t", "{bf16} {torch_dtype}")
    )
    assert TRAINER.command(spec, folder).argv[1] == said


@pytest.mark.parametrize(("asked", "told"), [(5_000, "5000"), (282_240, "7500")])
def test_no_more_pixels_are_asked_for_than_the_judges_processor_shows(prepare: Prepare, asked: int, told: str) -> None:
    """The demo's judge sees 7,500 pixels at most; ms-swift goes around its processor."""
    folder, spec = prepare(sets=("clips",), trainer="command", max_pixels=asked, command=("t", "{max_pixels}"))
    assert TRAINER.command(spec, folder).argv[1] == told


@pytest.mark.parametrize(
    ("family", "told"),
    [
        ("qwen2_vl", "qwen2_vl qwen2_vl qwen2_vl"),
        ("qwen2_5_vl", "qwen2_5_vl qwen2_vl qwen2_5_vl"),
        ("qwen3_vl", "qwen3_vl qwen3_vl_nothink qwen3_vl"),
        ("glm4v", "glm4v glm4v glm4v"),
        ("qwen3_vl_moe", "qwen3_vl_moe qwen3_vl_nothink qwen3_vl"),
    ],
)
def test_the_family_is_that_of_the_model(
    prepare: Prepare, judge_folder: Path, tmp_path: Path, family: str, told: str
) -> None:
    model = judge(tmp_path / "m", judge_folder, model_type=family)
    folder, spec = prepare(
        sets=("clips",),
        trainer="command",
        model=str(model),
        command=("t", "{model_type} {llamafactory_template} {swift_template}"),
    )
    assert TRAINER.command(spec, folder).argv[1] == told


def test_a_hub_name_of_no_known_family_has_to_be_told(prepare: Prepare) -> None:
    given = {"sets": ("clips",), "trainer": "command", "command": ("sh", "{model_type}", "{output}")}
    for model, level in (("org/Qwen2.5-VL-7B-judge", None), ("org/judge", Level.FAIL)):
        _, spec = prepare(model.rpartition("/")[2], **given, model=model)
        found = {check.name: check.level for check in TRAINER.preflight(spec)}
        assert found.get("Model") is level


@pytest.mark.parametrize(("token", "level"), [(6, Level.FAIL), (151_655, None), (248_056, None)])
def test_ms_swift_is_refused_a_judge_whose_images_it_would_not_find(
    prepare: Prepare, judge_folder: Path, tmp_path: Path, token: int, level: Level | None
) -> None:
    swift = tmp_path / "swift"
    swift.write_text("#!/bin/sh\n")
    swift.chmod(0o755)
    model = judge(tmp_path / "m", judge_folder, image_token_id=token)
    _, spec = prepare(sets=("clips",), trainer="command", model=str(model), command=(str(swift), "{output}"))
    found = {check.name: check for check in TRAINER.preflight(spec)}
    assert ("Media" in found) == (level is not None)
    if level:
        assert found["Media"].level is level and "without looking" in found["Media"].message


@pytest.mark.parametrize("template", [True, False])
def test_a_judge_whose_template_is_not_here_is_warned_of(
    prepare: Prepare, judge_folder: Path, tmp_path: Path, template: bool
) -> None:
    model = judge(tmp_path / "m", judge_folder, template=template)
    _, spec = prepare(
        sets=("clips",), trainer="command", model=str(model), data_format="sharegpt", command=("sh", "{output}")
    )
    assert ("Turns" in {check.name for check in TRAINER.preflight(spec)}) == (not template)


def test_a_format_that_cannot_hold_the_sets_media_is_said_before_the_start(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, spec = prepare(sets=("clips",), trainer="command", data_format="jsonl", command=("sh", "{data}", "{output}"))
    assert not [check for check in program_checks(spec) if check.name == "Format"]
    stills = replace(FORMATS["jsonl"], kinds=(MediaKind.IMAGE,))
    monkeypatch.setitem(FORMATS._loaded, "jsonl", stills)
    (check,) = (check for check in program_checks(spec) if check.name == "Format")
    assert (check.level, check.message) == (Level.FAIL, "format jsonl holds no videos")
