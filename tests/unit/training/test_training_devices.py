"""A training on named GPUs works on those, whatever its processes' environment shows."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from training_folders import Prepare

from backend.domain.devices import VISIBLE
from backend.domain.preflight import Level
from backend.errors import TrainingError, UsageError
from backend.trainer import _Watcher
from backend.training.base import Command
from backend.workspace import Workspace


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = ModuleType("pynvml")
    nvml.nvmlInit = nvml.nvmlShutdown = lambda: None  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetCount = lambda: 2  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetName = lambda _handle: "H200"  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetUUID = lambda handle: f"GPU-{handle}abc"  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetMemoryInfo = lambda _handle: SimpleNamespace(  # type: ignore[attr-defined]
        total=10**12, free=10**12
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)


@pytest.mark.torch
@pytest.mark.usefixtures("two_gpus")
def test_its_job_is_shown_them_and_a_hidden_one_is_refused_in_the_preflight(
    space: Workspace, judge_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"trainer": "local", "model": str(judge_folder), "device": "cuda:1", "output_dir": str(tmp_path / "out")}
    spec = space.training_launcher.spec(["images"], **values)
    monkeypatch.setenv(VISIBLE, "GPU-0abc")
    device = {check.name: check for check in space.training_launcher.preflight(spec)}["Device"]
    assert device.level is Level.FAIL and "does not show GPU 1" in device.message
    with pytest.raises(TrainingError, match="does not show GPU 1"):
        space.training_launcher.start(spec)
    monkeypatch.setenv(VISIBLE, "GPU-0abc,GPU-1abc")
    row = space.trainings.get(space.training_launcher.start(spec))
    (job,) = (job for job in space.jobs.list() if job.id == row.job_id)
    assert job.env[VISIBLE] == "GPU-1abc"


@pytest.mark.usefixtures("two_gpus")
def test_its_command_sees_them_also_under_names_that_its_own_line_does_not_know(
    prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, spec = prepare(device="cuda:1")
    monkeypatch.setenv(VISIBLE, "MIG-GPU-1abc/0/0")
    code = f"import os; open({str(tmp_path / 'seen')!r}, 'w').write(os.environ[{VISIBLE!r}])"
    command = Command((sys.executable, "-c", code), spec.visible_devices)
    assert command.env == {VISIBLE: "1"}
    row = SimpleNamespace(output_dir=str(folder), log_path=str(tmp_path / "log"), id=1)
    watcher = _Watcher(SimpleNamespace(), row, spec, SimpleNamespace(), os.getpid())  # type: ignore[arg-type]
    lock = os.open(tmp_path / "lock", os.O_CREAT)
    assert watcher._start(command, lock).wait(30) == 0
    assert (tmp_path / "seen").read_text() == "MIG-GPU-1abc/0/0"
    monkeypatch.setenv(VISIBLE, "0")
    with pytest.raises(UsageError, match="does not show GPU 1"):
        watcher._start(command, lock)
    os.close(lock)
