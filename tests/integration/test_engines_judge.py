"""The transformers engine on a real, small Qwen2.5-VL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import EngineOptions
from backend.engines.registry import load_engine
from backend.errors import EngineError, EngineUnavailable
from tests.integration import engine_checks
from tests.integration.engine_driver import drive
from tests.unit.engines.engine_requests import request

pytestmark = pytest.mark.judge


@pytest.fixture(scope="module")
def results(judge_folder: Path) -> engine_checks.Results:
    return drive("transformers", str(judge_folder))


@pytest.mark.parametrize("check", engine_checks.ALL, ids=engine_checks.name)
def test_an_engine_does_what_every_engine_must(results: engine_checks.Results, check: engine_checks.Check) -> None:
    check(results)


def test_a_folder_without_weights_is_an_engine_error(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError) as caught:
        load_engine("transformers", str(tmp_path), EngineOptions(device="cpu"))
    assert caught.value.hint and "\n" not in caught.value.message


def test_a_device_that_is_not_there_is_said_so(judge_folder: Path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(EngineUnavailable):
        load_engine("transformers", str(judge_folder), EngineOptions(device="cuda:0"))


def test_greedy_leaves_a_checkpoints_own_sampling_out_unless_a_penalty_is_asked_for(judge_folder: Path, tmp_path: Path):
    own = tmp_path / "judge"
    shutil.copytree(judge_folder, own)
    settings = {"repetition_penalty": 1.9, "do_sample": True, "temperature": 1.8, "top_k": 5}
    (own / "generation_config.json").write_text(json.dumps(settings))

    def answer(folder: Path, **options: Any) -> str:
        given = EngineOptions(device="cpu", max_new_tokens=60, **options)
        engine = load_engine("transformers", str(folder), given)
        (outcome,) = engine.generate(iter([request()]))
        engine.close()
        return outcome.text

    plain = answer(judge_folder)
    assert answer(own) == plain
    assert answer(judge_folder, repetition_penalty=1.9) != plain
