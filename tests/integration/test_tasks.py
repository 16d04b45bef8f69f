"""Tasks as real processes: done, cancelled, killed and begun again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from backend.domain.jobs import JobStatus
from backend.domain.operations import Operation
from backend.domain.people import Person, Role
from backend.store.schema import reviews
from backend.store.tasks import TaskRow
from backend.workspace import Workspace
from tests.workspaces import build_workspace, write_image_pairs


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    opened = build_workspace(tmp_path / "ws", images=12, videos=2)
    yield opened
    opened.close()


def ended(space: Workspace, task_id: int, seconds: float = 60) -> TaskRow:
    until = time.monotonic() + seconds
    while (row := space.tasks.get(task_id)).is_open:
        assert time.monotonic() < until, f"it is still {row.status}: {Path(row.log_path).read_text()}"
        time.sleep(0.1)
    return row


def test_a_freeze_and_an_export_are_done_by_processes_in_the_name_of_who_began_them(
    space: Workspace, tmp_path: Path
) -> None:
    ada = space.acting_as(Person("Ada", Role.OPERATOR))
    row = ended(space, ada.begin(Operation.FREEZE, "signs", {"name": "signs", "runs": [1], "balance": None}))
    assert (row.status, row.person, row.result) == ("finished", "Ada", {"set": "signs@1"}), row.error
    out = tmp_path / "out"
    row = ended(space, ada.begin(Operation.EXPORT, "signs", {"set": 1, "format": "jsonl", "out": str(out)}))
    assert row.finished, row.error
    assert json.loads((out / "manifest.json").read_text())["rows"] > 0


def test_a_task_that_fails_keeps_its_error_and_hint(space: Workspace) -> None:
    row = ended(space, space.begin(Operation.ADD_DATASET, "x", {"name": "x", "spec": "pairs:/nowhere.json"}))
    assert row.status == "failed"
    assert row.error is not None and "no such file" in row.error


def test_an_import_is_cancelled_while_it_goes_on_and_begun_again(space: Workspace, tmp_path: Path) -> None:
    spec = many_pairs(tmp_path)
    task = space.begin(Operation.ADD_DATASET, "many", {"name": "many", "spec": spec, "check_media": False})
    wait_for_rows(space, task)
    space.cancel_task(task)
    assert ended(space, task).status == "cancelled"
    space.resume_task(task)
    assert ended(space, task, 120).finished
    assert space.datasets.get("many").counts["pairs"] == ROWS


def test_an_import_that_is_killed_is_found_interrupted_and_begun_again(space: Workspace, tmp_path: Path) -> None:
    spec = many_pairs(tmp_path)
    task = space.begin(Operation.ADD_DATASET, "many", {"name": "many", "spec": spec, "check_media": False})
    wait_for_rows(space, task)
    pid = space.jobs.get(space.tasks.get(task).job_id).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert ended(space, task).status == JobStatus.INTERRUPTED
    space.resume_task(task)
    assert ended(space, task, 120).finished
    assert space.datasets.get("many").counts["pairs"] == ROWS


def test_rulings_on_many_that_are_killed_are_stored_once_each_when_begun_again(space: Workspace) -> None:
    ids = [row["id"] for row in space.predictions.iter_rows(1)]
    arguments = {"ids": ids, "ruling": "reject", "token": "t" * 32}
    ada = space.acting_as(Person("Ada", Role.OPERATOR))
    task = ada.begin(Operation.RULE_ON_ALL, "all", arguments)
    pid = None
    until = time.monotonic() + 60
    while pid is None and time.monotonic() < until and space.tasks.get(task).is_open:
        pid = space.jobs.get(space.tasks.get(task).job_id).pid
    if pid is not None and space.tasks.get(task).is_open:
        os.kill(pid, signal.SIGKILL)
    row = ended(space, task)
    if not row.finished:
        space.resume_task(task)
        row = ended(space, task)
    assert row.result == {"ruled": len(ids)}, row.error
    with space.database.read() as connection:
        stored = list(connection.scalars(select(reviews.c.prediction_id).order_by(reviews.c.prediction_id)))
    assert stored == sorted(ids)


ROWS = 60_000


def many_pairs(folder: Path) -> str:
    """A file whose import takes some seconds."""
    write_image_pairs(folder / "m", 1)
    (row,) = json.loads((folder / "m" / "pairs.json").read_text())
    rows = [{**row, "prompt": f"caption {number}"} for number in range(ROWS)]
    (folder / "m" / "pairs.json").write_text(json.dumps(rows))
    return f"hpdv3:{folder / 'm' / 'pairs.json'}"


def wait_for_rows(space: Workspace, task: int) -> None:
    """Until some rows are imported, and not all."""
    until = time.monotonic() + 60
    while not space.tasks.get(task).progress.get("done"):
        row = space.tasks.get(task)
        assert row.is_open and time.monotonic() < until, (row.status, row.error)
        time.sleep(0.05)
