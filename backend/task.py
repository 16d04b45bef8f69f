"""The process of one task: ``python -m backend.task TASK --workspace FOLDER``.

A task is what a person starts and does not wait for: an import, a freeze, an export, rulings on many.
It was allowed when it was started; here it is done in the name of whoever started it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from backend.curation.balance import Balance
from backend.curation.sets import list_sets
from backend.domain.jobs import OPEN, JobStatus
from backend.domain.operations import Operation
from backend.domain.people import Person, Role
from backend.errors import NotFound, RunError, StoreUnavailable, WinnowError
from backend.export.exporter import ExportOptions
from backend.export.formats import FORMATS
from backend.files import narrow_umask
from backend.job_process import Claimed, run_process
from backend.store.outage import Patience
from backend.store.tasks import TaskRow, Tasks
from backend.workspace import Workspace

log = logging.getLogger("winnow.task")

_EVERY_S = 0.5
_LINES = 20


class Cancelled(Exception):
    """Raised where a task says how far it is, when it is to stop."""


class Progress:
    """Tells how far a task is, and breaks it off when it is to stop."""

    def __init__(self, tasks: Tasks, task_id: int, stop: threading.Event, patience: Patience) -> None:
        self._tasks, self._id, self._stop, self._patience = tasks, task_id, stop, patience
        self._state: dict[str, Any] = {}
        self._due = 0.0

    def done(self, count: int) -> None:
        """So many rows are done.

        Raises:
            Cancelled: The task is to stop.
        """
        self._state["done"] = count
        self._tell(now=False)

    def say(self, line: str) -> None:
        """Add a line for whoever is watching.

        Raises:
            Cancelled: The task is to stop.
        """
        log.info("%s", line)
        self._state["lines"] = [*self._state.get("lines", ()), line][-_LINES:]
        self._tell(now=True)

    def _tell(self, *, now: bool) -> None:
        if self._stop.is_set():
            raise Cancelled
        if now or time.monotonic() >= self._due:
            self._patience.call(lambda: self._tasks.set_progress(self._id, self._state))
            self._due = time.monotonic() + _EVERY_S


def _add_dataset(space: Workspace, given: dict[str, Any], progress: Progress) -> dict[str, Any]:
    row = space.add_dataset(
        name=given["name"],
        spec=given["spec"],
        data_root=Path(given["data_root"]) if given.get("data_root") else None,
        links_to=[Path(folder) for folder in given.get("links_to") or ()] or None,
        check_media=given.get("check_media", True),
        progress=progress.done,
    )
    return {"name": row.name}


def _freeze(space: Workspace, given: dict[str, Any], progress: Progress) -> dict[str, Any]:
    seed = given.get("balance")
    row = space.freeze(
        given["name"], given["runs"], balance=None if seed is None else Balance(seed), progress=progress.done
    )
    return {"set": f"{row.name}@{row.version}"}


def _export(space: Workspace, given: dict[str, Any], progress: Progress) -> dict[str, Any]:
    frozen = next((row for row in list_sets(space.database) if row.id == given["set"]), None)
    if frozen is None:
        raise NotFound(f"there is no set with the id {given['set']}")
    space.export(
        frozen,
        format=given["format"],
        out=Path(given["out"]),
        **{name: given[name] for name in ExportOptions.model_fields if name in given},
        options=FORMATS.named(given["format"]).options(**given.get("options", {})),
        progress=progress.done,
    )
    return {"out": given["out"]}


def _rule_on_all(space: Workspace, given: dict[str, Any], progress: Progress) -> dict[str, Any]:
    ruled = space.rule_on_all(
        given["ids"],
        given["ruling"],
        note=given.get("note", ""),
        tags=given.get("tags", ()),
        token=given["token"],
        progress=progress.done,
    )
    return {"ruled": ruled}


def _undo_act(space: Workspace, given: dict[str, Any], progress: Progress) -> dict[str, Any]:
    undone, left = space.undo_act(given["token"], progress=progress.done)
    return {"undone": undone, "left": left}


def _demo(space: Workspace, _given: dict[str, Any], progress: Progress) -> dict[str, Any]:
    # Here, because it imports what draws pictures.
    from backend.demo.steps import run_demo

    def wait(run_id: int) -> None:
        while (run := space.runs.get(run_id)).status in OPEN:
            space.supervise()
            progress.done(run_id)
            time.sleep(_EVERY_S)
        if run.status != JobStatus.FINISHED:
            raise RunError(f"run {run_id} {run.status}", hint=run.hint or "its log says why")

    made = run_demo(space.database, space.launcher, space.folder, wait=wait, say=progress.say)
    return {"set": made.set_name}


HANDLERS: Mapping[Operation, Callable[[Workspace, dict[str, Any], Progress], dict[str, Any]]] = MappingProxyType(
    {
        Operation.ADD_DATASET: _add_dataset,
        Operation.FREEZE: _freeze,
        Operation.EXPORT: _export,
        Operation.RULE_ON_ALL: _rule_on_all,
        Operation.UNDO_ACT: _undo_act,
        Operation.START_DEMO: _demo,
    }
)
"""What can be started as a task. Each may be started again after it was cut off."""


def do(space: Workspace, row: TaskRow, progress: Progress) -> dict[str, Any]:
    """Do what a task asks for, in the name of whoever started it.

    Raises:
        WinnowError: As its operation says.
        Cancelled: It was to stop.
    """
    operation = Operation[row.operation]
    return HANDLERS[operation](space.acting_as(Person(row.person, Role.OPERATOR)), row.arguments, progress)


def main(arguments: list[str] | None = None) -> int:
    """Do one task; the exit code is 0 only when it finished."""
    return run_process("task", _work, arguments)


def _work(space: Workspace, task_id: int, stop: threading.Event, patience: Patience) -> int:
    row = patience.call(lambda: space.tasks.get(task_id))
    narrow_umask(space.folder)
    with Claimed(space, row.job_id, stop, patience) as job:
        try:
            result = do(space, row, Progress(space.tasks, task_id, stop, patience))
            patience.call(lambda: space.tasks.set_result(task_id, result))
        except Cancelled:
            return job.finish(JobStatus.CANCELLED if job.cancelled else JobStatus.INTERRUPTED)
        except StoreUnavailable:
            raise  # There is nowhere to say so; whoever finds the process gone reads its exit code.
        except WinnowError as error:
            log.error("%s", error.line)
            return job.finish(JobStatus.FAILED, error.message, error.hint)
        except Exception as error:
            log.exception("task %d failed", task_id)
            return job.finish(
                JobStatus.FAILED, f"{type(error).__name__}: {error}".splitlines()[0], "its log has the rest"
            )
    return job.finish(JobStatus.FINISHED)


if __name__ == "__main__":
    sys.exit(main())
