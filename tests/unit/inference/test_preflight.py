"""What would stop a run is said before it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from backend.domain.devices import ORDER, VISIBLE
from backend.domain.preflight import Check, Level
from backend.engines.base import EngineOptions
from backend.errors import WinnowError
from backend.inference import launch
from backend.inference.launch import RunRequest
from backend.inference.preflight import preflight
from backend.jobs.gpus import gpus_for, list_gpus
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    built = build_workspace(tmp_path_factory.mktemp("preflight") / "ws", images=4, videos=1)
    yield built
    built.close()


def checks(space: Workspace, request: RunRequest, **pythons: str) -> dict[str, Check]:
    return {check.name: check for check in preflight(space.database, space.folder, pythons, request)}


@pytest.mark.torch
def test_a_run_that_would_work_has_nothing_that_stops_it(space: Workspace, judge_folder: Path) -> None:
    found = checks(
        space,
        RunRequest(
            dataset="pictures",
            model=str(judge_folder),
            engine="transformers",
            options=EngineOptions(device="cpu"),
            samples=2,
        ),
    )
    assert [check for check in found.values() if check.level is not Level.OK] == []
    assert "8 predictions" in found["Dataset"].message
    assert "GB of weights" in found["Model"].message
    assert found["Device"].message == "CPU"
    assert "free" in found["Disk"].message


@pytest.mark.parametrize(
    ("request_", "name", "said"),
    [
        (RunRequest(dataset="nowhere", model="m"), "Dataset", "no dataset"),
        pytest.param(
            RunRequest(dataset="pictures", model="/tmp", engine="transformers"),
            "Engine",
            "no model",
            marks=pytest.mark.torch,
        ),
        (RunRequest(dataset="pictures", model="m", engine="openai"), "Engine", "endpoint"),
        (
            RunRequest(
                dataset="pictures", model="m", engine="scripted", options=EngineOptions(scripted_file="/nowhere.jsonl")
            ),
            "Engine",
            "no such file",
        ),
    ],
)
def test_what_would_be_refused_is_said_with_its_name(
    space: Workspace, request_: RunRequest, name: str, said: str
) -> None:
    found = checks(space, request_)[name]
    assert found.level is Level.FAIL
    assert said in found.message


def test_an_engine_with_its_own_interpreter_is_not_looked_for_in_this_one(space: Workspace, judge_folder: Path) -> None:
    found = checks(
        space,
        RunRequest(dataset="pictures", model=str(judge_folder), engine="vllm", options=EngineOptions(device="cpu")),
        vllm="/opt/vllm/bin/python",
    )
    assert found["Engine"].level is Level.OK
    assert "/opt/vllm/bin/python" in found["Engine"].message


def test_pairs_without_media_are_a_warning(tmp_path: Path) -> None:
    space = build_workspace(tmp_path / "ws", images=3, videos=1)
    (space.folder / "media" / "t2i" / "001-win.jpg").unlink()
    dataset = space.datasets.get("pictures")
    space.add_dataset(name="pictures", spec=dataset.spec)
    found = checks(space, RunRequest(dataset="pictures", model="m", engine="openai"))
    assert found["Media"].level is Level.WARN
    assert found["Media"].message.startswith("1 pair")


def fake_nvml(monkeypatch: pytest.MonkeyPatch, *free_gb: float) -> None:
    """NVML as it answers on a machine with GPUs of 80 GB."""
    nvml = ModuleType("pynvml")
    nvml.nvmlInit = nvml.nvmlShutdown = lambda: None  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetCount = lambda: len(free_gb)  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetName = lambda _handle: b"NVIDIA H100"  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetMemoryInfo = lambda handle: SimpleNamespace(  # type: ignore[attr-defined]
        total=80e9, free=free_gb[handle] * 1e9
    )
    nvml.nvmlDeviceGetUUID = lambda handle: f"GPU-{handle}abc"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)


def test_free_memory_of_the_gpus_that_will_be_used_is_looked_at(
    space: Workspace, judge_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvml(monkeypatch, 79, 20)

    def device(**options: object) -> Check:
        request = RunRequest(
            dataset="pictures", model=str(judge_folder), engine="vllm", options=EngineOptions(**options)
        )
        return checks(space, request, vllm=sys.executable)["Device"]

    assert device(device="cuda:0").level is Level.OK
    assert device(device="cuda:1").level is Level.WARN
    assert device(device="cuda:1", gpu_memory_utilization=0.2).level is Level.OK
    assert device(device="cuda:2").level is Level.FAIL
    assert device(device="cuda:0", tensor_parallel_size=2).level is Level.FAIL


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
@pytest.mark.parametrize(("visible", "shown"), [(None, "1"), ("0,1", "1"), ("GPU-1abc", "GPU-1abc")])
def test_a_run_on_a_named_gpu_has_it_in_its_jobs_environment(
    space: Workspace, judge_folder: Path, monkeypatch: pytest.MonkeyPatch, engine: str, visible: str | None, shown: str
) -> None:
    """Whatever environment the supervisor that starts the worker lives in."""
    fake_nvml(monkeypatch, 79, 79)
    monkeypatch.setattr(space.launcher, "_pythons", {engine: sys.executable})
    monkeypatch.delenv(VISIBLE, raising=False)
    if visible:
        monkeypatch.setenv(VISIBLE, visible)
    request = RunRequest(
        dataset="pictures", model=str(judge_folder), engine=engine, options=EngineOptions(device="cuda:1")
    )
    run_id, _ = space.launcher.start(request)
    (job,) = (j for j in space.jobs.list() if j.id == space.runs.get(run_id).job_id)
    assert (job.env[VISIBLE], job.env[ORDER], job.devices) == (shown, "PCI_BUS_ID", "cuda:1")
    monkeypatch.setenv(VISIBLE, "GPU-0abc" if visible else "0")
    with pytest.raises(WinnowError, match="does not show GPU 1"):
        space.launcher.start(request)
    assert checks(space, request, **{engine: sys.executable})["Device"].level is Level.FAIL
    shown_alone = RunRequest(dataset="pictures", model=str(judge_folder), engine=engine)
    monkeypatch.setattr(launch, "devices_of", lambda *_: "cuda")
    run_id, _ = space.launcher.start(shown_alone)
    (job,) = (j for j in space.jobs.list() if j.id == space.runs.get(run_id).job_id)
    assert job.env[VISIBLE] == os.environ[VISIBLE], "what its starter was shown"


def test_the_memory_of_gpus_that_are_not_shown_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml(monkeypatch, 79, 20, 40)
    gpus = list_gpus()
    assert gpus
    for listed, indices in (("2,0", [0, 2]), ("GPU-1", [1]), ("", []), (None, [0, 1, 2])):
        environment = {} if listed is None else {VISIBLE: listed}
        assert [gpu.index for gpu in gpus_for("cuda", gpus, environment)] == indices
    assert [gpu.index for gpu in gpus_for("cuda:1,2", gpus, {})] == [1, 2]


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", "device gpu: is none of auto, cpu, cuda and cuda:0,1"),
        ("cuda:x", "device cuda:x: is none of "),
        ("cpu:0", "device cpu:0: is none of "),
        (",", "device ,: is none of "),
        ("cuda", "there is no NVIDIA GPU here"),
        ("cuda:0,1", "there is no NVIDIA GPU here"),
    ],
)
@pytest.mark.torch
def test_a_device_that_is_none_or_not_here_is_refused_before_a_worker_starts(
    space: Workspace, judge_folder: Path, monkeypatch: pytest.MonkeyPatch, device: str, said: str
) -> None:
    monkeypatch.setattr(launch, "list_gpus", lambda: None)
    monkeypatch.setattr(launch, "has_gpu", lambda: False)
    request = RunRequest(
        dataset="pictures", model=str(judge_folder), engine="transformers", options=EngineOptions(device=device)
    )
    check = checks(space, request)["Device"]
    assert check.level is Level.FAIL
    assert check.message.startswith(said)
    assert check.hint
    before = len(space.runs.list())
    with pytest.raises(WinnowError) as caught:
        space.launcher.start(request)
    assert caught.value.message.startswith(said)
    assert len(space.runs.list()) == before


def test_without_a_driver_nothing_is_known_of_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert list_gpus() is None
