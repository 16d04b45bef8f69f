"""A checkpoint is measured by its own answers, or not at all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from training_folders import Prepare

from backend.engines.base import EngineOptions
from backend.errors import EngineError
from backend.training.launch import TrainingLauncher
from backend.workspace import Workspace


@pytest.mark.parametrize("engine", ["openai", "auto"])
def test_a_server_that_does_not_have_the_checkpoint_is_not_asked_in_its_name(
    space: Workspace, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    _, spec = prepare()
    view = SimpleNamespace(spec=spec, best=SimpleNamespace(path=tmp_path / "final_checkpoint"))
    monkeypatch.setattr(TrainingLauncher, "view", lambda *_: view)
    before = len(space.runs.list())
    options = EngineOptions(endpoints=("http://127.0.0.1:9/v1",))
    with pytest.raises(EngineError, match="nobody answers") as caught:
        space.evaluate(1, "pictures", engine=engine, options=options)
    assert f"vllm serve {tmp_path}/final_checkpoint" in (caught.value.hint or "")
    assert len(space.runs.list()) == before
