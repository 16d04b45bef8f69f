"""What would stop a loop hours later is refused before it begins, and nothing is written down."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backend.cli.hints import in_command
from backend.domain.filtering import PRESETS
from backend.domain.people import Person, Role
from backend.engines.base import EngineOptions
from backend.errors import Forbidden, NotFound, PolicyError, RunError, TrainingError, UsageError, WinnowError
from backend.hints import Hint
from backend.loop import LoopSpec, start
from backend.loop.checks import training_options, training_spec
from backend.store.loops import Loops
from backend.training.spec import SetRef
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path_factory.mktemp("ws"), images=2, videos=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    (folder / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return folder


def spec(judge: Path, **values: Any) -> LoopSpec:
    texts = judge / "texts.jsonl"
    texts.write_text('{"text": "<answer>Image 1 is better</answer>"}\n')
    return LoopSpec.model_validate(
        {
            "dataset": "pictures",
            "model": str(judge),
            "engine": "scripted",
            "options": EngineOptions(scripted_file=str(texts)),
            "trainer": "command",
            "training": {"command": (sys.executable, "{output}"), "device": "cpu"},
            **values,
        }
    )


def refused(space: Workspace, wanted: LoopSpec, error: type[WinnowError]) -> WinnowError:
    before = (len(Loops(space.database).list()), len(space.runs.list()))
    with pytest.raises(error) as caught:
        start(space, wanted)
    assert (len(Loops(space.database).list()), len(space.runs.list())) == before
    assert "\n" not in caught.value.message and caught.value.hint
    return caught.value


def test_a_loop_that_can_go_is_written_down_with_its_adapters(space: Workspace, judge: Path) -> None:
    wanted = spec(judge, training={"command": (sys.executable,), "lora": {"rank": "8"}})
    loop_id = start(space, wanted)
    stored = LoopSpec.model_validate(Loops(space.database).get(loop_id).spec)
    assert stored.training["lora"] == {"rank": "8"}


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"nonsense": "1"}, "train nonsense: a training has no such option"),
        ({"actor_learning_rate": "abc"}, "train actor_learning_rate: "),
        ({"max_epochs": "0"}, "train max_epochs: "),
        ({"lora": {"rank": "0"}}, "train lora_rank: "),
        ({"lora": {"nonsense": "1"}}, "train lora_nonsense: a training has no such option"),
        ({"model": "/x"}, "train model: that is the loop's own"),
        ({"output_dir": "/x"}, "train output_dir: that is the loop's own"),
        ({"sets": "a"}, "train sets: that is the loop's own"),
        ({"trainer": "local"}, "train trainer: that is the loop's own"),
    ],
)
def test_a_training_that_could_not_be_is_refused_before_anything_is_judged(
    space: Workspace, judge: Path, training: dict[str, Any], said: str
) -> None:
    error = refused(space, spec(judge, training=training), UsageError)
    assert error.message.startswith(said)


def test_an_unknown_option_is_told_with_those_that_there_are() -> None:
    names = training_options()
    assert {"max_epochs", "lora", "lora_rank", "command"} <= set(names)
    assert not {"model", "output_dir", "sets", "trainer"} & set(names)


def test_a_trainer_that_lacks_something_stops_the_loop_before_it_begins(space: Workspace, judge: Path) -> None:
    missing = spec(judge, training={"command": ("/no/such/program",)})
    assert "no program" in refused(space, missing, TrainingError).message
    unknown = spec(judge, training={"command": (sys.executable, "{nosuch}")})
    assert "{nosuch}" in refused(space, unknown, TrainingError).message


def test_a_folder_of_a_later_round_that_holds_something_stops_it_too(
    space: Workspace, judge: Path, tmp_path: Path
) -> None:
    (tmp_path / "round-2").mkdir()
    (tmp_path / "round-2" / "mine.txt").write_text("x")
    error = refused(space, spec(judge, output_dir=str(tmp_path)), TrainingError)
    assert "round-2 is not empty" in error.message


def test_datasets_policy_and_engine_are_looked_at_as_well(space: Workspace, judge: Path, tmp_path: Path) -> None:
    refused(space, spec(judge, dataset="nosuch"), NotFound)
    refused(space, spec(judge, holdout="nosuch"), NotFound)
    refused(space, spec(judge, holdout="pictures"), UsageError)
    refused(space, spec(judge, policy={"nonsense": 1}), PolicyError)
    both = PRESETS["order-consistent"].to_mapping()
    assert refused(space, spec(judge, policy=both), UsageError).hint == Hint("{order:both}")
    assert "Engine: unknown engine" in refused(space, spec(judge, engine="x"), RunError).message
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no config.json" in refused(space, spec(empty), TrainingError).message
    with pytest.raises(ValidationError):
        spec(judge, rounds=0)


SERVE = (sys.executable, "-m", "serve", "{model}")
SERVED = {"engine": "openai", "options": EngineOptions(endpoints=("http://127.0.0.1:9/v1",))}


@pytest.mark.parametrize("engine", ["openai", "auto"])
@pytest.mark.parametrize("values", [{"rounds": 2}, {"rounds": 1, "holdout": "clips"}])
def test_servers_that_lack_the_judges_of_a_loop_are_refused_unless_the_loop_starts_them(
    space: Workspace, judge: Path, engine: str, values: dict[str, Any]
) -> None:
    error = refused(space, spec(judge, **SERVED | {"engine": engine}, **values), UsageError)
    assert "do not have the judges" in error.message and "--serve" in in_command(error.hint)
    start(space, spec(judge, **SERVED | {"engine": engine}, **values, serve=SERVE))


def test_servers_do_for_a_loop_that_asks_its_first_judge_alone(space: Workspace, judge: Path) -> None:
    start(space, spec(judge, **SERVED, rounds=1))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**SERVED, "serve": (sys.executable, "server.py")}, "serve: {model} is missing"),
        ({**SERVED, "serve": (*SERVE, "{port}")}, "serve: there is no {port}"),
        ({**SERVED, "serve": ("/no/such/program", "{model}")}, "serve: there is no program"),
        ({"serve": SERVE}, "serve: engine scripted loads each judge itself"),
    ],
)
def test_a_server_that_could_not_be_started_is_refused(
    space: Workspace, judge: Path, values: dict[str, Any], said: str
) -> None:
    assert refused(space, spec(judge, **values), UsageError).message.startswith(said)


def test_braces_that_are_no_place_may_stand_in_a_servers_arguments(space: Workspace, judge: Path) -> None:
    start(space, spec(judge, **SERVED, serve=(*SERVE, "--limit-mm-per-prompt", '{"image": 2}')))


def test_a_training_shows_what_its_rounds_run_showed_unless_it_is_told_otherwise(judge: Path) -> None:
    options = EngineOptions(video_fps=1.0, max_pixels=78_400, scripted_file=str(judge))
    asked = spec(judge, options=options, instruction="Which? {prompt}")
    sets = (SetRef(id=1, name="s", version=1, content_hash=""),)
    for more, seen in (({}, (1.0, 78_400)), ({"fps": "4"}, (4.0, 78_400))):
        training = training_spec(
            asked.model_copy(update={"training": {**asked.training, **more}}), model="m/x", folder=judge, sets=sets
        )
        assert (training.fps, training.max_pixels) == seen
        assert training.task_instruction == "Which? {prompt}"


def test_only_operators_start_loops(space: Workspace, judge: Path) -> None:
    reviewer = replace(space, person=Person("r", Role.REVIEWER))
    with pytest.raises(Forbidden):
        start(reviewer, spec(judge))
