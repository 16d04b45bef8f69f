"""The transformers engine on a real, small Qwen2.5-VL."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.engines.base import EngineOptions
from backend.engines.registry import load_engine
from backend.errors import EngineError, EngineUnavailable
from tests.integration import engine_checks
from tests.integration.engine_driver import drive

pytestmark = pytest.mark.judge


@pytest.fixture(scope="module")
def results(judge_folder: Path) -> engine_checks.Results:
    return drive("transformers", str(judge_folder))


def test_image_and_video_requests_in_one_stream_are_all_answered(results):
    engine_checks.check_answers(results)


def test_an_answer_that_meets_the_token_limit_says_so(results):
    engine_checks.check_cut_off(results)


def test_the_same_seed_gives_the_same_text_and_other_seeds_others(results):
    engine_checks.check_seeds(results)


def test_a_broken_request_fails_alone(results):
    engine_checks.check_isolation(results)


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
