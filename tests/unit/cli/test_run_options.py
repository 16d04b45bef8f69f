"""Whatever starts a run takes each of its options, and the same words mean the same run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from backend.cli import files, loop, main
from backend.cli.main import app
from backend.domain.filtering import PRESETS
from backend.domain.pairs import OrderPolicy
from backend.engines.base import EngineOptions
from backend.engines.registry import ResolvedEngine
from backend.inference.command_line import arguments
from backend.inference.launch import Launcher, RunRequest
from backend.loop import LoopSpec
from backend.workspace import Workspace
from tests.workspaces import build_workspace

STARTS_RUNS = (("run", "start"), ("prepare",), ("loop",), ("train", "evaluate"))

EVERY_OPTION = EngineOptions(
    batch_size=3,
    max_new_tokens=77,
    temperature=0.25,
    top_p=0.5,
    repetition_penalty=1.5,
    video_fps=1.5,
    max_pixels=100_352,
    dtype="bfloat16",
    device="cuda:0,1",
    trust_remote_code=True,
    max_model_len=4096,
    tensor_parallel_size=4,
    gpu_memory_utilization=0.5,
    enforce_eager=True,
    api_key_env="MY_KEY",
    endpoints=("http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1"),
    scripted_file="/tmp/a file's name.jsonl",
    scripted_latency=0.5,
)
REQUESTS = {
    "every option": RunRequest(
        dataset="d",
        model="m/x",
        engine="vllm",
        options=EVERY_OPTION,
        order=OrderPolicy.BOTH,
        samples=3,
        seed=11,
        limit=200,
        use_cot=False,
        instruction="Judge {prompt}",
        policy=PRESETS["one-per-pair"],
    ),
    "greedy in spite of several samples": RunRequest(dataset="d", model="m/x", samples=2, policy=PRESETS["consensus"]),
    "one sample": RunRequest(dataset="d", model="m/x", samples=1, options=EngineOptions(tensor_parallel_size=1)),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Any]]:
    found: list[Any] = []

    def start(_launcher: Launcher, request: RunRequest) -> tuple[int, ResolvedEngine]:
        found.append(request)
        raise SystemExit(0)

    def start_loop(_space: Workspace, spec: LoopSpec) -> int:
        found.append(spec)
        raise SystemExit(0)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Launcher, "start", start)
    monkeypatch.setattr(loop, "start", start_loop)
    monkeypatch.setattr(files, "_dataset", lambda *_: SimpleNamespace(name="d"))
    yield found


def words_of(request: RunRequest) -> list[str]:
    """The options, said even where a command's default is another: of run start without its names."""
    words = arguments(request)[3:]
    del words[:4]
    said = {
        "policy": request.policy.name,
        "samples": request.samples,
        "temperature": request.options.temperature,
        "tensor-parallel-size": request.options.tensor_parallel_size,
    }
    return [*words, *(f"--{name}={value}" for name, value in said.items())]


def options_of(*names: str) -> dict[str, Any]:
    command = typer.main.get_command(app)
    for name in names:
        command = command.commands[name]  # type: ignore[attr-defined]
    return {parameter.name: parameter for parameter in command.params}


@pytest.mark.parametrize("names", STARTS_RUNS)
def test_each_command_that_starts_runs_takes_every_option_of_an_engine(names: tuple[str, ...]) -> None:
    found = options_of(*names)
    for name in EngineOptions.model_fields:
        assert ("endpoint" if name == "endpoints" else name) in found
    assert {"engine", "order", "limit"} <= set(found)


def test_defaults_differ_only_where_a_command_says_so() -> None:
    own = {"prepare": {"tensor_parallel_size", "video_fps"}, "loop": {"samples", "policy"}}
    usual = options_of("run", "start")
    for command, others in own.items():
        found = options_of(command)
        for name in {*EngineOptions.model_fields, "engine", "order", "samples", "policy", "seed"}:
            if name in ("endpoints", *others):
                continue
            assert found[name].default == usual[name].default, f"{command} --{name}"


@pytest.mark.parametrize("name", REQUESTS)
def test_prepare_asks_for_the_run_that_run_start_would(asked: list[Any], name: str) -> None:
    request = REQUESTS[name]
    with pytest.raises(SystemExit):
        main(
            ["prepare", "t2v", "--model_path", "m/x", "--data_path", "pairs:x", "--output_dir", "o", *words_of(request)]
        )
    assert asked == [request]


@pytest.mark.parametrize("name", REQUESTS)
def test_each_round_of_a_loop_asks_for_the_run_that_run_start_would(asked: list[Any], name: str) -> None:
    request = REQUESTS[name]
    with pytest.raises(SystemExit):
        main(["loop", "--dataset", "d", "--model", "m/x", *words_of(request)])
    (spec,) = asked
    assert spec.round_request("m/x", 0) == request
    measured = spec.baseline_request("held", 0)
    assert measured.options == request.options.model_copy(update={"temperature": 0.0})
    assert (measured.use_cot, measured.instruction) == (request.use_cot, request.instruction)


def test_a_checkpoint_is_shown_what_it_was_trained_on_unless_an_option_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found: list[dict[str, Any]] = []

    def evaluate(_space: Workspace, _id: int, _dataset: str, **values: Any) -> int:
        found.append(values)
        raise SystemExit(0)

    spec = SimpleNamespace(fps=1.5, max_pixels=78_400)
    view = SimpleNamespace(spec=spec)
    space = build_workspace(tmp_path / "ws", images=2, videos=1)
    monkeypatch.setattr(type(space.training_launcher), "view", lambda *_: view)
    monkeypatch.setattr(Workspace, "evaluate", evaluate)
    words = ["train", "evaluate", "1", "--dataset", "d", "--workspace", str(space.folder)]
    more = ["--endpoint", "http://h/v1", "--max-pixels", "3136", "--engine", "openai"]
    for given in ([], more):
        with pytest.raises(SystemExit):
            main([*words, *given])
    first, second = (one["options"] for one in found)
    assert (first.video_fps, first.max_pixels, first.endpoints) == (1.5, 78_400, ())
    assert (second.video_fps, second.max_pixels) == (1.5, 3136)
    assert (second.endpoints, found[1]["engine"]) == (("http://h/v1",), "openai")
    space.close()


def test_no_replay_is_offered_where_a_judge_is_trained() -> None:
    for names in (("loop",), ("train", "evaluate")):
        assert "scripted" not in options_of(*names)["engine"].help
    assert "scripted" in options_of("run", "start")["engine"].help


def test_nothing_is_read_from_the_environment_by_what_stands_for_no_script(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INFERENCE_BATCH_SIZE", "MAX_NEW_TOKENS", "VIDEO_FPS", "GPUS_PER_NODE", "LR"):
        monkeypatch.setenv(name, "nonsense")
    with pytest.raises(SystemExit):
        main(["run", "start", "--dataset", "d", "--model", "m/x"])
    with pytest.raises(SystemExit):
        main(["loop", "--dataset", "d", "--model", "m/x"])
    assert asked[0] == RunRequest(dataset="d", model="m/x")
    assert asked[1].options == EngineOptions(temperature=0.7)
