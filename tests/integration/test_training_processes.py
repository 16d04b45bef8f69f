"""Trainings of several processes by ``torchrun``: killed, resumed and stopped, nothing is left behind.

``torchrun`` gives its workers sessions of their own, so that nothing but the mark in their environment,
and the kernel's parent-death signal, ties them to their job.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backend.cli.hints import in_command
from backend.training.probing import free_port
from backend.workspace import Workspace
from tests.integration.conftest import Winnow
from tests.integration.test_runs import wait_for
from tests.integration.test_training import WAIT_S, processes_of, start, step_of
from tests.workspaces import build_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    """The workspace of ``winnow``: set ``mixed`` has images and videos."""
    opened = build_workspace(tmp_path / "ws", images=8, videos=2)
    opened.freeze("mixed", [1, 3])
    yield opened
    for process in processes_of(tmp_path):
        process.kill()
    opened.close()


def start_two(winnow: Winnow, judge: Path, out: Path, *words: object) -> None:
    start(winnow, judge, out, "--lora", "--gpus-per-node", 2, "--master-port", free_port(), "--save-steps", 2, *words)


def family(space: Workspace) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Trainer and torchrun; the two workers."""
    leader = psutil.Process(space.jobs.get(space.trainings.get(1).job_id).pid)
    (torchrun,) = leader.children()
    workers = torchrun.children()
    assert len(workers) == 2
    assert {os.getsid(worker.pid) for worker in workers}.isdisjoint({os.getsid(leader.pid)})
    return [leader, torchrun], workers


def test_workers_die_with_a_killed_torchrun_and_resume_has_one_writer(
    winnow: Winnow, space: Workspace, judge_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    start_two(winnow, judge_folder, out, "--max-steps", 600)
    wait_for(lambda: step_of(out) >= 3, WAIT_S)
    above, workers = family(space)
    for process in above:
        os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not any(worker.is_running() for worker in workers), 20)
    wait_for(lambda: space.trainings.get(1).status == "interrupted", WAIT_S)
    assert not processes_of(tmp_path)
    reached = step_of(out)
    assert reached < 600

    winnow("train", "resume", 1)
    wait_for(lambda: step_of(out) > reached, WAIT_S)
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1)), "two processes write"
    assert len([p for p in processes_of(tmp_path) if "torch.distributed.run" not in p.cmdline()]) == 3

    winnow("train", "stop", 1)
    wait_for(lambda: not processes_of(tmp_path), 5)
    row = space.trainings.get(1)
    assert row.status == "cancelled"
    newest = max(c.step or 0 for c in space.training_launcher.view(1).checkpoints)
    assert newest == step_of(out), "what was learned since the last checkpoint is lost"
    assert in_command(row.hint) == f"`winnow train resume 1` goes on from step {newest}"
    assert "is asked to save and stop" in winnow("train", "log", 1).out
