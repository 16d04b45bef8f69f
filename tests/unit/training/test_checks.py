"""What would stop a training, or spoil it, is said before it starts."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from backend.cli.hints import in_command, message_of
from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind
from backend.domain.people import Person, Role
from backend.domain.preflight import Check, Level
from backend.engines.base import EngineOptions
from backend.errors import Forbidden, TrainingError, UsageError
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.store import schema
from backend.training.folder import CLAIM, claim, owner_of
from backend.training.judging import asked_with
from backend.training.plan import devices_of
from backend.training.spec import LoraSpec
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path / "ws", images=24, videos=2)
    opened.freeze("both-orders", [2])
    opened.freeze("one-sided", [1])
    yield opened
    opened.close()


def checks(space: Workspace, judge: Path, *sets: str, **values: Any) -> dict[str, Check]:
    given = {
        "trainer": "local",
        "model": str(judge),
        "device": "cpu",
        "output_dir": str(space.folder / "out"),
        **values,
    }
    spec = space.training_launcher.spec(sets or ("both-orders",), **given)
    return {check.name: check for check in space.training_launcher.preflight(spec)}


@pytest.mark.torch
def test_a_training_that_would_work_has_only_good_news(space: Workspace, judge_folder: Path) -> None:
    found = checks(space, judge_folder, max_pixels=282240)
    assert [check for check in found.values() if check.level is not Level.OK] == []
    assert "qwen2_5_vl" in found["Model"].message
    assert {"Data", "Media", "Labels", "Instruction", "Model", "Output folder", "Device", "Disk", "Interpreter"} <= set(
        found
    )


def test_media_that_went_or_were_written_after_the_freeze_are_named(space: Workspace, judge_folder: Path) -> None:
    media = space.folder / "media" / "t2i"
    later = space.trainings.media_of_set(1)
    assert sum(1 for _ in later)
    os.utime(media / "003-win.jpg", (2e9, 2e9))
    found = checks(space, judge_folder)["Media"]
    assert found.level is Level.WARN and "003-win.jpg" in found.message
    (media / "003-win.jpg").unlink()
    found = checks(space, judge_folder)["Media"]
    assert found.level is Level.FAIL and "003-win.jpg" in found.message
    with pytest.raises(TrainingError, match="Media: 1 file is missing"):
        start(space, judge_folder)


def test_a_medium_that_was_replaced_by_an_older_one_is_warned_of(space: Workspace, judge_folder: Path) -> None:
    """As ``cp -p`` and an unpacked archive do it: the file's own time says nothing."""
    assert "none written or replaced" in checks(space, judge_folder)["Media"].message
    medium = space.folder / "media" / "t2i" / "003-win.jpg"
    medium.write_bytes((medium.parent / "004-lose.jpg").read_bytes())
    os.utime(medium, (1e9, 1e9))
    found = checks(space, judge_folder)["Media"]
    assert found.level is Level.WARN and "003-win.jpg" in found.message


def test_lightrft_on_the_cpu_is_refused(space: Workspace, judge_folder: Path) -> None:
    found = checks(space, judge_folder, trainer="lightrft")["Device"]
    assert found.level is Level.FAIL and "NVIDIA" in found.message
    assert "--trainer local" in in_command(found.hint)
    assert checks(space, judge_folder)["Device"].level is Level.OK


@pytest.mark.parametrize(("trainer", "refused"), [("lightrft", True), ("local", False)])
def test_rows_that_fill_no_batch_are_refused_where_such_a_batch_is_left_out(
    space: Workspace, judge_folder: Path, trainer: str, refused: bool
) -> None:
    found = checks(space, judge_folder, trainer=trainer, train_batch_size=1000)
    assert ("Rows" in found) == refused
    if refused:
        assert found["Rows"].level is Level.FAIL and "train_batch_size 1000" in found["Rows"].message
    assert "Rows" not in checks(space, judge_folder, trainer=trainer, train_batch_size=8)
    few = checks(space, judge_folder, trainer=trainer, train_batch_size=8, validation=0.95)
    assert ("Rows" in few) == refused


@pytest.mark.parametrize(
    ("modules", "level"),
    [
        (("nope",), Level.FAIL),
        (("q_proj", "nope"), Level.WARN),
        (("q_proj", "self_attn.v_proj"), None),
        (("proj",), None),
        (("_proj",), Level.FAIL),
    ],
)
def test_adapters_for_modules_that_the_model_lacks_are_told(
    space: Workspace, judge_folder: Path, modules: tuple[str, ...], level: Level | None
) -> None:
    found = checks(space, judge_folder, lora=LoraSpec(target_modules=modules)).get("Adapters")
    assert (found and found.level) == level
    if found:
        assert modules[-1] in found.message and "q_proj" in in_command(found.hint)


def test_answers_of_one_side_are_warned_of(space: Workspace, judge_folder: Path) -> None:
    assert checks(space, judge_folder)["Labels"].level is Level.OK
    lopsided = checks(space, judge_folder, "one-sided")["Labels"]
    assert lopsided.level is Level.WARN and "0 second" in lopsided.message
    assert "--balance" in in_command(lopsided.hint)


def test_another_instruction_than_the_sets_were_judged_under_is_refused_and_theirs_is_asked_with(
    space: Workspace, judge_folder: Path
) -> None:
    dataset = space.datasets.get("pictures")
    other = "Which image is prettier? {prompt}"
    spec = RunSpec(model="j", engine="import", instruction=instructions(other, use_cot=True))
    run = import_predictions(space.database, dataset.id, spec, Policy(), space.folder / "predictions-a.jsonl")
    space.freeze("other", [run])
    assert checks(space, judge_folder, "other")["Instruction"].level is Level.OK
    assert checks(space, judge_folder, "other", task_instruction=other)["Instruction"].level is (Level.OK)
    found = checks(space, judge_folder, "other", task_instruction="Which? {prompt}")["Instruction"]
    assert found.level is Level.FAIL and "another instruction" in found.message
    assert "--task-instruction" in in_command(found.hint)
    mixture = checks(space, judge_folder, "other", "both-orders")["Instruction"]
    assert mixture.level is Level.WARN and "2 instructions" in mixture.message
    asked = space.training_launcher.spec(["other"], trainer="local", model="m/x", output_dir="/o")
    assert asked_with(space.database, asked) == (True, other)


IMAGES, VIDEOS = "Which image? {prompt}", "Which video? {prompt}"


def judged_again(space: Workspace, dataset: str, template: str | None) -> int:
    """A run on ``pictures`` or ``clips`` with the texts of one that asked otherwise."""
    spec = RunSpec(model="j", engine="import", instruction=instructions(template, use_cot=True))
    texts = {"pictures": "predictions-a.jsonl", "clips": "predictions-c.jsonl"}[dataset]
    row = space.datasets.get(dataset)
    return import_predictions(space.database, row.id, spec, Policy(), space.folder / texts)


@pytest.mark.slow
@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(
    ("images", "videos", "evaluated"),
    [
        (IMAGES, VIDEOS, {MediaKind.IMAGE: IMAGES, MediaKind.VIDEO: VIDEOS}),
        (IMAGES, None, {MediaKind.IMAGE: IMAGES}),
        (None, None, None),
    ],
)
def test_two_instructions_of_a_mixed_training_are_one_for_each_medium(
    space: Workspace, judge_folder: Path, apart: bool, images: str | None, videos: str | None, evaluated: object
) -> None:
    """In one set and in two: a run has an instruction for the medium that it never saw, too."""
    runs = [judged_again(space, "pictures", images), judged_again(space, "clips", videos)]
    for name, of in (("i", runs[:1]), ("v", runs[1:])) if apart else (("both", runs),):
        space.freeze(name, of)
    names = ("i", "v") if apart else ("both",)
    found = checks(space, judge_folder, *names)["Instruction"]
    assert found.level is Level.OK, found.message
    asked = space.training_launcher.spec(names, trainer="local", model="m/x", output_dir="/o")
    use_cot, template = asked_with(space.database, asked)
    assert (use_cot, template) == (True, evaluated)
    own = instructions(template, use_cot=True)
    for kind, one in ((MediaKind.IMAGE, images), (MediaKind.VIDEO, videos)):
        assert own[kind] == (one or instructions(None, use_cot=True)[kind])


def test_two_instructions_for_one_medium_of_a_mixed_training_are_warned_of(
    space: Workspace, judge_folder: Path
) -> None:
    runs = [judged_again(space, "pictures", IMAGES), judged_again(space, "clips", VIDEOS)]
    space.freeze("mixed", [*runs, judged_again(space, "pictures", VIDEOS)])
    found = checks(space, judge_folder, "mixed")["Instruction"]
    assert found.level is Level.WARN and "2 instructions for images" in found.message


def test_an_instruction_for_one_medium_of_two_is_no_other_one(space: Workspace, judge_folder: Path) -> None:
    runs = [judged_again(space, "pictures", IMAGES), judged_again(space, "clips", VIDEOS)]
    space.freeze("m", runs)
    for given, level in ((IMAGES, Level.OK), (VIDEOS, Level.OK), ("Else? {prompt}", Level.FAIL)):
        found = checks(space, judge_folder, "m", task_instruction=given)["Instruction"]
        assert found.level is level, given


def test_frames_of_a_run_on_images_are_nobodys(space: Workspace, judge_folder: Path) -> None:
    """Each run's spec has a frame rate, whatever it judged."""
    runs = []
    for dataset, fps in (("pictures", 2.0), ("clips", 1.0)):
        run_id = judged_again(space, dataset, None)
        with space.database.write() as connection:
            spec = {**space.runs.get(run_id).spec, "engine": "transformers", "model": str(judge_folder)}
            spec["options"] = EngineOptions(video_fps=fps).model_dump(mode="json")
            connection.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(spec=spec))
        runs.append(run_id)
    space.freeze("m", runs)
    assert "Frames" not in checks(space, judge_folder, "m", fps=1.0)
    found = checks(space, judge_folder, "m", fps=2.0)["Frames"]
    assert found.level is Level.FAIL and "saw 1 frames" in found.message


def test_a_port_that_is_taken_is_told_with_one_that_is_free(space: Workspace, judge_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = checks(space, judge_folder, gpus_per_node=2, master_port=port)["Port"]
        assert found.level is Level.FAIL and str(port) in found.message
        assert "--master-port" in in_command(found.hint)
    assert checks(space, judge_folder, gpus_per_node=2, master_port=port)["Port"].level is Level.OK


def test_an_output_folder_of_another_training_is_told_with_the_way_to_it(
    space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    spec = space.training_launcher.spec(
        ["both-orders"], trainer="local", model=str(judge_folder), output_dir=str(folder)
    )
    with space.database.write() as connection:
        training = space.trainings.add(
            connection, trainer="local", model=spec.model, output_dir=spec.output_dir, spec={}, sets=[]
        )
        space.trainings.set_job(connection, training, space.jobs.add("training", [], {}, "", "", connection=connection))
    claim(folder, owner_of(space.folder, training), spec)
    found = checks(space, judge_folder, output_dir=str(folder))["Output folder"]
    assert f"holds another training (training {training} of " in found.message
    assert in_command(found.hint).startswith(f"see `winnow train show {training}`; give another --output-dir")
    claim_of_another = (folder / CLAIM).read_text().replace(str(space.folder), "/another/workspace")
    (folder / CLAIM).write_text(claim_of_another)
    assert in_command(checks(space, judge_folder, output_dir=str(folder))["Output folder"].hint).startswith(
        "give another"
    )


def test_an_output_folder_in_use_a_hub_name_and_a_folder_without_weights_are_told(
    space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    used = checks(space, judge_folder, output_dir=str(space.folder))["Output folder"]
    assert used.level is Level.FAIL and used.hint
    hub = checks(space, judge_folder, model="Qwen/Qwen2.5-VL-7B-Instruct")["Model"]
    assert hub.level is Level.WARN and "hub" in hub.message
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    empty = checks(space, judge_folder, model=str(tmp_path / "empty"))["Model"]
    assert empty.level is Level.FAIL and "no weights" in empty.message


def test_gpus_that_are_too_few_or_too_small_are_told(
    space: Workspace, judge_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = ModuleType("pynvml")
    fake.nvmlInit = fake.nvmlShutdown = lambda: None
    fake.nvmlDeviceGetCount = lambda: 1
    fake.nvmlDeviceGetHandleByIndex = lambda index: index
    fake.nvmlDeviceGetName = lambda _handle: "H200"
    fake.nvmlDeviceGetMemoryInfo = lambda _handle: SimpleNamespace(total=10**7, free=10**6)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    small = checks(space, judge_folder, device="cuda:0")["Device"]
    assert small.level is Level.WARN and "--lora" in in_command(small.hint)
    few = checks(space, judge_folder, device="cuda", gpus_per_node=2)["Device"]
    assert few.level is Level.FAIL and "--gpus-per-node" in in_command(few.hint)


def judged(space: Workspace, name: str, dataset: str, model: Path | str, **options: Any) -> None:
    """A set of a run that an engine made with these options."""
    spec = RunSpec(
        model=str(model),
        engine="transformers",
        instruction=instructions(None, use_cot=True),
        options=EngineOptions(**options),
    )
    texts = space.folder / f"predictions-{'c' if dataset == 'clips' else 'a'}.jsonl"
    row = space.datasets.get(dataset)
    run = import_predictions(space.database, row.id, spec, Policy(), texts)
    space.freeze(name, [run])


def test_other_frames_or_pixels_than_the_judge_saw_are_refused_with_the_option_that_mends_it(
    space: Workspace, judge_folder: Path
) -> None:
    judged(space, "clips", "clips", judge_folder, video_fps=1.5, max_pixels=5_000)
    found = checks(space, judge_folder, "clips")
    assert found["Frames"].level is found["Pixels"].level is Level.FAIL
    assert [in_command(found[name].hint) for name in ("Frames", "Pixels")] == ["--fps 1.5", "--max-pixels 5000"]
    with pytest.raises(TrainingError, match=r"Frames: the judge saw 1.5 frames a second"):
        start(space, judge_folder, "clips")
    assert not {"Frames", "Pixels"} & checks(space, judge_folder, "clips", fps=1.5, max_pixels=5_000).keys()
    judged(space, "usual", "clips", judge_folder)
    assert not {"Frames", "Pixels"} & checks(space, judge_folder, "usual").keys()
    both = checks(space, judge_folder, "clips", "usual", fps=1.5)["Frames"]
    assert both.level is Level.FAIL and "no --fps fits" in in_command(both.hint)


def test_a_frame_rate_of_images_and_pixels_above_the_models_own_say_nothing(
    space: Workspace, judge_folder: Path
) -> None:
    """The demo judge's processor lets 7,500 pixels through, whatever it is asked for."""
    judged(space, "pictures", "pictures", judge_folder, video_fps=8.0, max_pixels=1_000_000)
    assert not {"Frames", "Pixels"} & checks(space, judge_folder, "pictures").keys()
    judged(space, "served", "pictures", "a-name-on-a-server", max_pixels=282_240)
    assert "Pixels" not in checks(space, judge_folder, "served")


def test_pixels_of_a_run_before_they_were_kept_are_its_models_own(space: Workspace, judge_folder: Path) -> None:
    judged(space, "old", "pictures", judge_folder, max_pixels=None)
    assert "Pixels" not in checks(space, judge_folder, "old")
    few = checks(space, judge_folder, "old", max_pixels=5_000)["Pixels"]
    assert few.level is Level.FAIL and in_command(few.hint) == "--max-pixels 7500"
    judged(space, "gone", "pictures", "/no/such/model", max_pixels=None)
    gone = checks(space, judge_folder, "gone")["Pixels"]
    assert gone.level is Level.WARN and "not here to tell" in gone.message


def test_devices_are_those_that_were_named(space: Workspace, judge_folder: Path) -> None:
    spec = space.training_launcher.spec(
        ["both-orders"], trainer="local", model=str(judge_folder), output_dir=str(space.folder / "out")
    )
    assert devices_of(spec.model_copy(update={"device": "cuda:1"})) == "cuda:1"


@pytest.mark.parametrize(
    ("values", "said"),
    [({"max_epochs": 0}, "--max-epochs"), ({"nonsense": 1}, "--nonsense"), ({"trainer": "magic"}, "unknown trainer")],
)
def test_a_value_out_of_range_names_its_option(space: Workspace, values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        space.training_launcher.spec(["one-sided"], **{"trainer": "local", "model": "m", "output_dir": "o", **values})
    assert message_of(caught.value).startswith(said)


def test_a_reviewer_may_look_but_start_stop_and_clear_nothing(space: Workspace, judge_folder: Path) -> None:
    reviewer = space.acting_as(Person("Ada", Role.REVIEWER))
    assert reviewer.trainings.list() == []
    assert checks(reviewer, judge_folder)
    with pytest.raises(Forbidden):
        start(reviewer, judge_folder)
    for act in (reviewer.training_launcher.stop, reviewer.training_launcher.resume, reviewer.training_launcher.clear):
        with pytest.raises(Forbidden):
            act(1)
    with pytest.raises(Forbidden):
        reviewer.evaluate(1, "pictures")


@pytest.mark.torch
def test_a_second_training_into_the_same_folder_is_refused_while_the_first_is_queued(
    space: Workspace, judge_folder: Path
) -> None:
    first = start(space, judge_folder)
    with pytest.raises(TrainingError, match=f"in use by training {first}"):
        start(space, judge_folder)
    space.training_launcher.stop(first)
    assert space.trainings.get(first).status == "cancelled"
    assert start(space, judge_folder) == first + 1


def start(space: Workspace, judge: Path, name: str = "both-orders") -> int:
    spec = space.training_launcher.spec(
        [name], trainer="local", model=str(judge), device="cpu", output_dir=str(space.folder / "out")
    )
    return space.training_launcher.start(spec)
