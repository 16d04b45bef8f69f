"""The command shown beside the launch form starts the same run, read back by the real command."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from backend.cli.main import main
from backend.domain.filtering import PRESETS, Policy
from backend.domain.pairs import OrderPolicy
from backend.domain.reading import Flaw
from backend.engines.base import EngineOptions
from backend.engines.registry import ResolvedEngine
from backend.inference.command_line import command_line
from backend.inference.launch import Launcher, RunRequest

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
    tensor_parallel_size=2,
    gpu_memory_utilization=0.5,
    enforce_eager=True,
    endpoints=("http://127.0.0.1:8000/v1", "http://127.0.0.1:8001/v1"),
    api_key_env="MY_KEY",
    scripted_file="/tmp/a file's name.jsonl",
    scripted_latency=0.5,
)
REQUESTS = {
    "plain": RunRequest(dataset="d", model="/models/judge"),
    "every option": RunRequest(
        dataset="my data",
        model="org/judge",
        engine="vllm",
        options=EVERY_OPTION,
        order=OrderPolicy.BOTH,
        samples=4,
        seed=11,
        limit=200,
        use_cot=False,
        instruction="Judge $(rm -rf ~) {prompt}; it's `odd`\nand two lines",
        policy=PRESETS["one-per-pair"],
    ),
    "several samples": RunRequest(dataset="d", model="m", samples=4, options=EngineOptions(temperature=0.7)),
    "greedy in spite of several samples": RunRequest(dataset="d", model="m", samples=4),
    "a policy of one's own": RunRequest(
        dataset="d",
        model="m",
        policy=Policy(
            name='it\'s "mine"',
            min_margin=2.5,
            refused_flaws=frozenset({Flaw.CUT_OFF}),
            min_sample_agreement=0.5,
            keep="one_per_pair",
        ),
    ),
    "names that look like options": RunRequest(dataset="--debug", model="-m", instruction="-- {prompt}"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_command_asks_for_the_same_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunRequest] = []

    def start(_launcher: Launcher, request: RunRequest) -> tuple[int, ResolvedEngine]:
        asked.append(request)
        raise SystemExit(0)

    monkeypatch.setattr(Launcher, "start", start)
    line = command_line(REQUESTS[name], workspace=tmp_path / "a workspace")
    program, *words = shlex.split(line)
    assert program == "winnow"
    with pytest.raises(SystemExit):
        main(words)
    (found,) = asked
    assert found == REQUESTS[name]


def test_what_has_its_default_is_left_out() -> None:
    assert command_line(REQUESTS["plain"]) == "winnow run start --dataset d --model /models/judge"
