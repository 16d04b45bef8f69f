"""Starting, stopping and looking at trainings: what the command and the pages call."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from backend.domain.devices import shown_gpus
from backend.domain.jobs import OPEN, JobStatus
from backend.domain.operations import Operation, guarded
from backend.domain.pairs import MediaKind
from backend.domain.people import LOCAL, Person
from backend.domain.preflight import Check, Level
from backend.errors import TrainingError, UsageError
from backend.hints import Action, Do, Field, Hint
from backend.jobs.gpus import gpu_uuids
from backend.jobs.own_path import python_path
from backend.store.database import Database
from backend.store.jobs import Jobs
from backend.store.runs import RunRow, Runs
from backend.store.sets import SetRow, Sets
from backend.store.trainings import TrainingRow, Trainings
from backend.training.base import Tools
from backend.training.checks import preflight
from backend.training.first_losses import loss_at_inference
from backend.training.folder import check_free, owned_by, owner_of
from backend.training.plan import Plan, devices_of, plan_of
from backend.training.registry import DEFAULT, TRAINERS, load_trainer
from backend.training.spec import SetRef, TrainingSpec
from backend.training.view import CURVE_POINTS, View, log_tail, read_view

log = logging.getLogger(__name__)


class TrainingLauncher:
    """Starts, stops and shows trainings.

    Args:
        folder: The workspace's.
        tools: Interpreters and checkouts of the trainers.
        person: In whose name; what changes something refuses what that person may not do.
    """

    def __init__(self, database: Database, folder: Path, *, tools: Tools, person: Person = LOCAL) -> None:
        self._db, self._folder, self._tools, self.person = database, folder, tools, person
        self._trainings = Trainings(database)
        self._jobs = Jobs(database)

    def acting_as(self, person: Person) -> TrainingLauncher:
        """The same launcher in somebody's name."""
        return TrainingLauncher(self._db, self._folder, tools=self._tools, person=person)

    def spec(self, sets: Sequence[str], **values: Any) -> TrainingSpec:
        """A spec from names of sets (``NAME`` or ``NAME@VERSION``) and the values that were given.

        Raises:
            NotFound: There is no such set.
            UsageError: A value is out of range.
        """
        if not sets:
            raise UsageError("a training needs a set", hint=Hint("name one with {set}; {LIST_SETS} shows them"))
        known = Sets(self._db)
        refs = tuple(_ref(known.named(name)) for name in dict.fromkeys(sets))
        given = {name: value for name, value in values.items() if value is not None}
        TRAINERS.named(given.get("trainer", DEFAULT))
        for name in ("model", "output_dir"):
            # Absolute, because the trainer runs in another folder and much later.
            blank = not str(given.get(name, "")).strip()
            if not blank and (name == "output_dir" or Path(given[name]).exists()):
                given[name] = str(Path(given[name]).expanduser().resolve())
        try:
            return TrainingSpec(sets=refs, **given)
        except ValidationError as error:
            first = error.errors()[0]
            about = Field("_".join(str(part) for part in first["loc"]))
            raise UsageError(first["msg"], about=about, hint=Hint("{TRAINING_OPTIONS} lists the options")) from error

    def preflight(self, spec: TrainingSpec, *, thorough: bool = False) -> list[Check]:
        """Whether it would work; see :func:`backend.training.checks.preflight`."""
        trainer = load_trainer(spec.trainer, self._tools)
        known = Sets(self._db)
        sets = [known.named(f"{ref.name}@{ref.version}") for ref in spec.sets]
        return preflight(self._db, self._folder, spec, trainer, sets, devices_of(spec), thorough=thorough)

    def plan(self, spec: TrainingSpec) -> Plan:
        """What would be started, without starting it.

        Raises:
            TrainerUnavailable: The trainer's checkout or interpreter is missing.
            UsageError: The ``command`` trainer's template cannot be filled in.
        """
        return plan_of(spec, load_trainer(spec.trainer, self._tools))

    @guarded(Operation.START_TRAINING)
    def start(
        self,
        spec: TrainingSpec,
        *,
        on_warning: Callable[[Check], None] | None = None,
        noted: Callable[[Connection, int], None] | None = None,
    ) -> int:
        """Queue a training; returns its id.

        Args:
            on_warning: Told what the preflight warns of; else it goes to the log.
            noted: Writes the training's id down where it belongs, in the transaction that makes the
                training: there are both or none of them.

        Raises:
            TrainingError: The preflight found something that stops it, or the output folder is
                another training's.
            Forbidden: Only operators may.
        """
        checks = self.preflight(spec)
        for check in checks:
            if check.level is Level.FAIL:
                raise TrainingError(f"{check.name}: {check.message}", hint=check.hint)
        self._refuse_taken(spec.output_dir)
        # Only now: what is refused says why in one line.
        for check in checks:
            if check.level is Level.WARN:
                (on_warning or _log_warning)(check)
        return self._queue(spec, noted)

    @guarded(Operation.STOP_TRAINING)
    def stop(self, training_id: int) -> None:
        """Ask for a training to be stopped; the supervisor stops its whole process group.

        Raises:
            TrainingError: It is not going.
            Forbidden: Only operators may.
        """
        row = self._trainings.get(training_id)
        if row.status not in OPEN:
            raise TrainingError(
                f"training {training_id} is {row.status}; there is nothing to stop",
                hint=Hint("{LIST_TRAININGS} shows what is going"),
            )
        self._jobs.request_cancel(row.job_id)

    @guarded(Operation.RESUME_TRAINING)
    def resume(self, training_id: int) -> None:
        """Queue a training again; it goes on from its newest whole checkpoint.

        Raises:
            TrainingError: It is going, or finished.
            Forbidden: Only operators may.
        """
        row = self._trainings.get(training_id)
        if row.status in OPEN or row.status == JobStatus.FINISHED:
            raise TrainingError(
                f"training {training_id} is {row.status}, there is nothing to resume",
                hint=Hint("see {SHOW_TRAINING}", on=training_id),
            )
        self._jobs.requeue(row.job_id)

    @guarded(Operation.CLEAR_TRAINING)
    def clear(self, training_id: int) -> None:
        """Delete the output folder of a training that has ended, so that it can be used again.

        Raises:
            TrainingError: It is still going, the folder is not its own, or a run or another training
                that is open has one of its checkpoints for a model.
            Forbidden: Only operators may.
        """
        row = self._trainings.get(training_id)
        if row.status in OPEN:
            raise TrainingError(f"training {row.id} is {row.status}", hint="stop it first")
        folder = Path(row.output_dir)
        if not owned_by(folder, owner_of(self._folder, training_id)):
            raise TrainingError(
                f"{folder} is not the folder of training {row.id}",
                hint="it was cleared before, or holds something else now; nothing was deleted",
            )
        self._refuse_while_used(folder)
        shutil.rmtree(folder)

    def view(self, training_id: int, *, points: int = CURVE_POINTS) -> View:
        """One training with its curves, checkpoints and evaluations.

        Raises:
            NotFound: There is no such training.
            TrainingError: Its spec is one that this version cannot read.
        """
        row = self._trainings.get(training_id)
        return read_view(
            row,
            self._trainings.evaluations(training_id),
            tools=self._tools,
            owner=owner_of(self._folder, training_id),
            points=points,
            expected=partial(loss_at_inference, self._db),
        )

    def log_tail(self, training_id: int, *, size: int = 20_000) -> str:
        """The end of a training's log, at most so many bytes."""
        return log_tail(Path(self._trainings.get(training_id).log_path), size)

    def _refuse_taken(self, output_dir: str) -> None:
        """Refuse a folder that holds something else, or that another training is to fill."""
        check_free(Path(output_dir))
        for row in self._trainings.list():
            if row.output_dir == output_dir and row.status in OPEN:
                raise TrainingError(
                    f"{output_dir} is in use by training {row.id}, which is {row.status}",
                    hint=Hint("give another {output_dir}"),
                )

    def _refuse_while_used(self, folder: Path) -> None:
        """A queued job loads its model later, and one that goes may load it again."""
        stops = {"run": Action.CANCEL_RUN, "training": Action.STOP_TRAINING}
        jobs: list[tuple[str, RunRow | TrainingRow]] = [
            *(("run", run) for run in Runs(self._db).list()),
            *(("training", training) for training in self._trainings.list()),
        ]
        for kind, job in jobs:
            if job.status in OPEN and _lies_in(job.model, folder):
                raise TrainingError(
                    f"{kind} {job.id}, which is {job.status}, uses {job.model}",
                    hint=Hint("wait until it has ended, or {then}", then=Do(stops[kind], job.id)),
                )

    def _queue(self, spec: TrainingSpec, noted: Callable[[Connection, int], None] | None) -> int:
        with self._db.write() as connection:
            training_id = self._trainings.add(
                connection,
                trainer=spec.trainer,
                model=spec.model,
                output_dir=spec.output_dir,
                spec=spec.model_dump(mode="json"),
                sets=[ref.model_dump(mode="json") for ref in spec.sets],
            )
            job_id = self._jobs.add(
                kind="training",
                argv=[sys.executable, "-m", "backend.trainer", str(training_id), "--workspace", str(self._folder)],
                # The GPUs here, because the supervisor may live in another environment.
                env={"PYTHONPATH": python_path(self._folder), **shown_gpus(spec.device, os.environ, gpu_uuids)},
                devices=devices_of(spec),
                log_path=str(self._folder / "logs" / f"training-{training_id}.log"),
                connection=connection,
            )
            self._trainings.set_job(connection, training_id, job_id)
            if noted is not None:
                noted(connection, training_id)
        return training_id


def _ref(row: SetRow) -> SetRef:
    kinds = tuple(kind for kind in MediaKind if row.counts.get(kind.value))
    return SetRef(id=row.id, name=row.name, version=row.version, content_hash=row.content_hash or "", kinds=kinds)


def _lies_in(model: str, folder: Path) -> bool:
    """Whether a job's model is in a folder; folders are stored as absolute paths, hub names are not."""
    return Path(model).is_absolute() and Path(model).resolve().is_relative_to(folder.resolve())


def _log_warning(check: Check) -> None:
    hint = f" ({check.hint})" if check.hint else ""
    log.warning("%s: %s%s", check.name, check.message, hint)
