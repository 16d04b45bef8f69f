"""What `winnow loop show` says of a judge's accuracy, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.cli import main
from backend.domain.jobs import JobStatus
from backend.loop import LoopSpec, LoopState, Step
from backend.store.loops import Loops
from backend.workspace import Workspace
from tests.workspaces import build_workspace

PAIRS = 8


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    """Loop 1 measures with run 1, which has texts, and a process that has yet to go on with it."""
    opened = build_workspace(tmp_path / "ws", images=PAIRS, videos=1)
    spec = LoopSpec(dataset="clips", model="m/x", holdout="pictures", rounds=1)
    state = LoopState(step=Step.EVALUATE, made=[{"evaluation": 1}])
    with opened.database.write() as connection:
        job_id = opened.jobs.add("run", ["true"], {}, "", "log", connection=connection)
        opened.runs.set_job(connection, 1, job_id)
    Loops(opened.database).add(spec.model_dump(mode="json"), state.model_dump(mode="json"))
    yield opened
    opened.close()


def shown(space: Workspace, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    words = ["loop", "show", "1", "--workspace", str(space.folder)]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["made"][0]["accuracy"]
    assert main(words) == 0
    return told, capsys.readouterr().out


def test_a_measurement_that_has_not_ended_is_shown_without_a_result(
    space: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    told, text = shown(space, capsys)
    assert told["done"] == PAIRS, "there would be something to count"
    assert told["status"] == "queued" and "right" not in told and "n" not in told
    assert "round 1: run 1 on pictures is queued" in text and "no result yet" in text
    assert "right on" not in text


def test_a_measurement_that_has_ended_is_shown_with_its_interval(
    space: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = space.runs.get(1).job_id
    assert job_id is not None
    space.jobs.mark_starting(job_id, "h")
    space.jobs.finish(job_id, JobStatus.FINISHED)
    told, text = shown(space, capsys)
    assert told["status"] == "finished" and 0 < told["right"] < told["n"] < PAIRS
    assert told["low"] < told["right"] / told["n"] < told["high"]
    assert f"{told['right']}/{told['n']} right on pictures" in text
