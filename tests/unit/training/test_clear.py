"""Deleting a training's folder: never under a job that uses what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.cli.hints import in_command
from backend.domain.jobs import JobStatus
from backend.errors import TrainingError
from backend.training.folder import claim, owner_of
from backend.workspace import Workspace
from tests.workspaces import build_workspace


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a set, ``images``, and a training 1 that has ended and left a judge."""
    opened = build_workspace(tmp_path / "ws", images=4, videos=1)
    opened.freeze("images", [1])
    add_training(opened, "org/judge", tmp_path / "out", ended=True)
    claimed = opened.training_launcher.spec(
        ["images"], model="org/judge", output_dir=str(tmp_path / "out"), trainer="local"
    )
    claim(tmp_path / "out", owner_of(opened.folder, 1), claimed)
    (tmp_path / "out" / "final_checkpoint").mkdir()
    yield opened
    opened.close()


def add_job(room: Workspace, kind: str, *, ended: bool = False) -> int:
    job = room.jobs.add(kind, ["true"], {}, "cpu", room.folder / "log")
    if ended:
        room.jobs.finish(job, JobStatus.FAILED)
    return job


def add_training(room: Workspace, model: str, out: Path, *, ended: bool = False) -> None:
    spec = room.training_launcher.spec(["images"], model=model, output_dir=str(out), trainer="local")
    job = add_job(room, "training", ended=ended)
    with room.database.write() as connection:
        training = room.trainings.add(
            connection, trainer="local", model=model, output_dir=str(out), spec=spec.model_dump(mode="json"), sets=[]
        )
        room.trainings.set_job(connection, training, job)


def add_run(room: Workspace, model: str, *, ended: bool = False) -> int:
    job, like = add_job(room, "run", ended=ended), room.runs.get(1)
    with room.database.write() as connection:
        return room.runs.add(
            connection,
            dataset_id=like.dataset_id,
            model=model,
            engine="transformers",
            spec=like.spec,
            policy=like.policy,
            total=1,
            job_id=job,
        )


def test_a_folder_whose_judge_an_open_run_asks_is_not_deleted(room: Workspace, tmp_path: Path) -> None:
    run = add_run(room, str(tmp_path / "out" / "final_checkpoint"))
    with pytest.raises(TrainingError, match=f"run {run}, which is queued") as caught:
        room.training_launcher.clear(1)
    assert f"winnow run cancel {run}" in in_command(caught.value.hint)
    assert (tmp_path / "out" / "final_checkpoint").is_dir()


def test_a_folder_whose_judge_another_open_training_starts_from_is_not_deleted(room: Workspace, tmp_path: Path) -> None:
    add_training(room, str(tmp_path / "out" / "final_checkpoint"), tmp_path / "next")
    with pytest.raises(TrainingError, match="training 2, which is queued") as caught:
        room.training_launcher.clear(1)
    assert "winnow train stop 2" in in_command(caught.value.hint)
    assert (tmp_path / "out").is_dir()


def test_jobs_that_have_ended_or_use_something_else_do_not_keep_a_folder(room: Workspace, tmp_path: Path) -> None:
    add_run(room, str(tmp_path / "out" / "final_checkpoint"), ended=True)
    add_run(room, str(tmp_path / "outside"))
    add_run(room, "out/final_checkpoint")
    room.training_launcher.clear(1)
    assert not (tmp_path / "out").exists()
