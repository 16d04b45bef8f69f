"""Starting, stopping and looking at trainings: what the command and the pages call."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.domain.jobs import OPEN, JobStatus
from backend.domain.pairs import MediaKind
from backend.domain.people import LOCAL, Person, Role
from backend.domain.preflight import Check, Level
from backend.domain.prompts import default_instruction
from backend.engines.registry import has_gpu
from backend.errors import NotFound, TrainingError, UsageError
from backend.store.database import Database
from backend.store.jobs import Jobs
from backend.store.runs import RunRow, Runs
from backend.store.sets import SetRow, Sets
from backend.store.trainings import EvaluationRow, TrainingRow, Trainings
from backend.training.base import Checkpoint, Command, Metric
from backend.training.checks import preflight
from backend.training.folder import CLAIM, check_free, read_json
from backend.training.registry import Tools, load_trainer
from backend.training.spec import SetRef, TrainingSpec

CURVE_POINTS = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be started.

    Attributes:
        node_lines: The line to start on each node, the first of them being this one's.
    """

    spec: TrainingSpec
    command: Command
    devices: str
    node_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that is shown of one training; times are UTC seconds since the epoch.

    Attributes:
        metrics: Thinned to at most :data:`CURVE_POINTS`, the last one always among them.
        checkpoints: Oldest first.
    """

    row: TrainingRow
    spec: TrainingSpec
    metrics: Sequence[Metric]
    checkpoints: Sequence[Checkpoint]
    evaluations: Sequence[EvaluationRow]

    @property
    def best(self) -> Checkpoint | None:
        """The checkpoint to judge with: the final one, else the newest that a judge loads from."""
        usable = [checkpoint for checkpoint in self.checkpoints if checkpoint.judge]
        return usable[-1] if usable else None


class TrainingLauncher:
    """Starts, stops and shows trainings.

    Args:
        folder: The workspace's.
        tools: Interpreters and checkouts of the trainers.
        person: In whose name; what changes something refuses what that person may not do.
    """

    def __init__(
        self, database: Database, folder: Path, *, tools: Tools, person: Person = LOCAL
    ) -> None:
        self._db, self._folder, self._tools, self._person = database, folder, tools, person
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
            raise UsageError("a training needs a set", hint="--set NAME; `winnow set list`")
        refs = tuple(_ref(self._set(name)) for name in dict.fromkeys(sets))
        given = {name: value for name, value in values.items() if value is not None}
        for name in ("model", "output_dir"):
            # Absolute, because the trainer runs in another folder and much later.
            blank = not str(given.get(name, "")).strip()
            if not blank and (name == "output_dir" or Path(given[name]).exists()):
                given[name] = str(Path(given[name]).expanduser().resolve())
        try:
            return TrainingSpec(sets=refs, **given)
        except ValidationError as error:
            first = error.errors()[0]
            name = "-".join(str(part) for part in first["loc"]).replace("_", "-")
            raise UsageError(
                f"--{name}: {first['msg']}", hint="`winnow train start --help` lists the options"
            ) from error

    def preflight(self, spec: TrainingSpec) -> list[Check]:
        """Whether it would work; see :mod:`backend.training.checks`."""
        trainer = load_trainer(spec.trainer, self._tools)
        sets = [self._set(f"{ref.name}@{ref.version}") for ref in spec.sets]
        return preflight(self._db, spec, trainer, sets, devices_of(spec))

    def plan(self, spec: TrainingSpec) -> Plan:
        """What would be started, without starting it.

        Raises:
            TrainerUnavailable: The trainer's checkout or interpreter is missing.
            UsageError: The ``command`` trainer's template cannot be filled in.
        """
        trainer = load_trainer(spec.trainer, self._tools)
        folder = Path(spec.output_dir)
        lines = []
        for rank in range(spec.nnodes):
            node = spec.model_copy(update={"node_rank": rank})
            lines.append(command_line(trainer.command(node, folder)))
        return Plan(
            spec=spec,
            command=trainer.command(spec, folder),
            devices=devices_of(spec),
            node_lines=tuple(lines),
        )

    def start(
        self, spec: TrainingSpec, *, on_warning: Callable[[Check], None] | None = None
    ) -> int:
        """Queue a training; returns its id.

        Args:
            on_warning: Told what the preflight warns of; else it goes to the log.

        Raises:
            TrainingError: The preflight found something that stops it, or the output folder is
                another training's.
            Forbidden: Only operators may.
        """
        self._person.require(Role.OPERATOR, "start a training")
        checks = self.preflight(spec)
        for check in checks:
            if check.level is Level.FAIL:
                raise TrainingError(f"{check.name}: {check.message}", hint=check.hint)
        check_free(Path(spec.output_dir))
        for row in self._trainings.list():
            if row.output_dir == spec.output_dir and row.status in OPEN:
                raise TrainingError(
                    f"{spec.output_dir} is in use by training {row.id}, which is {row.status}",
                    hint="give another --output-dir",
                )
        # Only now: what is refused says why in one line.
        for check in checks:
            if check.level is Level.WARN:
                (on_warning or _log_warning)(check)
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
                argv=[
                    sys.executable, "-m", "backend.trainer", str(training_id),
                    "--workspace", str(self._folder),
                ],
                env=_environment(),
                devices=devices_of(spec),
                log_path=str(self._folder / "logs" / f"training-{training_id}.log"),
                connection=connection,
            )  # fmt: skip
            self._trainings.set_job(connection, training_id, job_id)
        return training_id

    def stop(self, training_id: int) -> None:
        """Ask for a training to be stopped; the supervisor stops its whole process group.

        Raises:
            TrainingError: It is not going.
            Forbidden: Only operators may.
        """
        self._person.require(Role.OPERATOR, "stop a training")
        row = self._trainings.get(training_id)
        if row.status not in OPEN:
            raise TrainingError(
                f"training {training_id} is {row.status}; there is nothing to stop",
                hint="`winnow train list` shows what is going",
            )
        self._jobs.request_cancel(row.job_id)

    def resume(self, training_id: int) -> None:
        """Queue a training again; it goes on from its newest whole checkpoint.

        Raises:
            TrainingError: It is going, or finished.
            Forbidden: Only operators may.
        """
        self._person.require(Role.OPERATOR, "resume a training")
        row = self._trainings.get(training_id)
        if row.status in OPEN or row.status == JobStatus.FINISHED:
            raise TrainingError(
                f"training {training_id} is {row.status}, there is nothing to resume",
                hint=f"`winnow train show {training_id}`",
            )
        self._jobs.requeue(row.job_id)

    def clear(self, training_id: int) -> None:
        """Delete the output folder of a training that has ended, so that it can be used again.

        Raises:
            TrainingError: It is still going, the folder is not its own, or a run or another training
                that is open has one of its checkpoints for a model.
            Forbidden: Only operators may.
        """
        self._person.require(Role.OPERATOR, "clear a training")
        row = self._trainings.get(training_id)
        if row.status in OPEN:
            raise TrainingError(f"training {training_id} is {row.status}", hint="stop it first")
        folder = Path(row.output_dir)
        if read_json(folder / CLAIM).get("owner") != owner(self._folder, training_id):
            raise TrainingError(f"{folder} is not the folder of training {training_id}")
        self._refuse_while_used(folder)
        shutil.rmtree(folder)

    def _refuse_while_used(self, folder: Path) -> None:
        """A queued job loads its model later, and one that goes may load it again."""
        stops = {"run": "winnow run cancel", "training": "winnow train stop"}
        jobs: list[tuple[str, RunRow | TrainingRow]] = [
            *(("run", run) for run in Runs(self._db).list()),
            *(("training", training) for training in self._trainings.list()),
        ]
        for kind, job in jobs:
            if job.status in OPEN and _lies_in(job.model, folder):
                raise TrainingError(
                    f"{kind} {job.id}, which is {job.status}, uses {job.model}",
                    hint=f"wait until it has ended, or `{stops[kind]} {job.id}`",
                )

    def view(self, training_id: int, *, points: int = CURVE_POINTS) -> View:
        """One training with its curves, checkpoints and evaluations.

        Raises:
            NotFound: There is no such training.
            TrainingError: Its spec is one that this version cannot read.
        """
        row = self._trainings.get(training_id)
        spec, folder = spec_of(row), Path(row.output_dir)
        trainer = load_trainer(row.trainer, self._tools)
        mine = read_json(folder / CLAIM).get("owner") == owner(self._folder, training_id)
        return View(
            row=row,
            spec=spec,
            metrics=thinned(trainer.metrics(folder), points) if mine else (),
            checkpoints=trainer.checkpoints(folder) if mine else (),
            evaluations=self._trainings.evaluations(training_id),
        )

    def log_tail(self, training_id: int, *, size: int = 20_000) -> str:
        """The end of a training's log, at most so many bytes."""
        path = Path(self._trainings.get(training_id).log_path)
        if not path.exists():
            return ""
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - size))
            return stream.read().decode("utf-8", "replace")

    def _set(self, name: str) -> SetRow:
        wanted, _, version = name.partition("@")
        rows = [row for row in Sets(self._db).list() if row.name == wanted]
        rows = [row for row in rows if not version or str(row.version) == version]
        if not rows:
            raise NotFound(f"there is no set {name}", hint="`winnow set list` shows the sets")
        return max(rows, key=lambda row: row.version)


def _lies_in(model: str, folder: Path) -> bool:
    """Whether a job's model is in a folder; folders are stored as absolute paths, hub names are not."""
    return Path(model).is_absolute() and Path(model).resolve().is_relative_to(folder.resolve())


def spec_of(row: TrainingRow) -> TrainingSpec:
    """What a training was asked to do.

    Raises:
        TrainingError: Another version of Winnow wrote it, and this one cannot read it.
    """
    try:
        return TrainingSpec.model_validate(row.spec)
    except ValidationError as error:
        raise TrainingError(
            f"training {row.id} was started by another version of Winnow; its settings cannot be read",
            hint=f"what it made is in {row.output_dir}",
        ) from error


def judge_of(view: View, checkpoint: Path | None = None) -> Path:
    """The folder of one of a training's judges; the best one when none is named.

    Raises:
        TrainingError: It is none of them, or there is none.
    """
    if checkpoint is None:
        if view.best is None:
            raise TrainingError(
                f"training {view.row.id} has no checkpoint that a judge can be loaded from",
                hint=f"`winnow train show {view.row.id}` lists its checkpoints",
            )
        return view.best.path
    wanted = checkpoint.expanduser().resolve()
    for known in view.checkpoints:
        if known.judge and known.path.resolve() == wanted:
            return known.path
    raise TrainingError(
        f"{checkpoint} is no whole checkpoint of training {view.row.id}",
        hint=f"`winnow train show {view.row.id}` lists its checkpoints",
    )


def asked_with(database: Database, spec: TrainingSpec) -> tuple[bool, str | None]:
    """Whether the judgments trained on reason, and their instruction; ``None`` for Winnow's own."""
    sets = {row.id: row for row in Sets(database).list()}
    for ref in spec.sets:
        for run in sets[ref.id].lineage.get("runs", ()):
            use_cot = bool(run["spec"].get("use_cot", True))
            found = set((run["spec"].get("instruction") or {}).values())
            own = {default_instruction(kind, use_cot=use_cot) for kind in MediaKind}
            return use_cot, None if found <= own else sorted(found - own)[0]
    return True, None


def owner(folder: Path, training_id: int) -> str:
    """Whose output folder one is, as its claim says it."""
    return f"training {training_id} of {folder.resolve()}"


def command_line(command: Command) -> str:
    """A command with its variables, quoted for a POSIX shell, for a person to copy."""
    words = [f"{name}={value}" for name, value in sorted(command.env.items())]
    line = shlex.join([*(["env", *words] if words else []), *command.argv])
    return f"cd {shlex.quote(command.cwd)} && {line}" if command.cwd else line


def devices_of(spec: TrainingSpec) -> str:
    """The device set that a training holds while it goes, as runs name theirs."""
    if spec.device != "auto":
        return spec.device
    return "cuda" if spec.trainer == "lightrft" or has_gpu() else "cpu"


def thinned(metrics: Sequence[Metric], points: int) -> list[Metric]:
    """Every so many-th point of a long curve; validations and the last point always stay."""
    stride = max(1, -(-len(metrics) // points))
    last = len(metrics) - 1
    return [
        metric
        for number, metric in enumerate(metrics)
        if number % stride == 0 or number == last or metric.validation_loss is not None
    ]


def _ref(row: SetRow) -> SetRef:
    kinds = tuple(kind for kind in MediaKind if row.counts.get(kind.value))
    return SetRef(
        id=row.id,
        name=row.name,
        version=row.version,
        content_hash=row.content_hash or "",
        kinds=kinds,
    )


def _log_warning(check: Check) -> None:
    hint = f" ({check.hint})" if check.hint else ""
    log.warning("%s: %s%s", check.name, check.message, hint)


def _environment() -> dict[str, str]:
    # For a checkout that is not installed: the trainer runs in the workspace's folder.
    root = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}{os.pathsep}{before}" if before else root}
