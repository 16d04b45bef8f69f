"""A workspace: the one place where settings are read and parts are wired together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection

from backend.curation.bulk import BulkRulings
from backend.curation.queues import NewQueue, Queues
from backend.curation.ruling_rows import RulingRows
from backend.curation.rulings import Rulings
from backend.curation.sets import Balance, SetRow, clear_abandoned, freeze
from backend.domain.jobs import OPEN
from backend.domain.operations import Operation, guarded, require
from backend.domain.pairs import OrderPolicy
from backend.domain.people import LOCAL, Person, Role
from backend.engines.base import EngineOptions
from backend.engines.registry import asks_servers
from backend.errors import Forbidden, RunError, StoreError
from backend.files import make_folder, write_whole
from backend.files.workspaces import make_private
from backend.inference.launch import Launcher, RunRequest
from backend.jobs.own_path import python_path
from backend.jobs.reconcile import reconcile
from backend.jobs.supervisor import ensure_supervisor
from backend.media.budget import DECODING
from backend.settings import Settings
from backend.store.audits import Audits
from backend.store.blindness import Blindness
from backend.store.browse import Browse
from backend.store.comparisons import Comparisons
from backend.store.database import Database
from backend.store.datasets import DatasetRow, Datasets
from backend.store.failures import Failures
from backend.store.items import Items
from backend.store.jobs import Jobs
from backend.store.loops import Loops
from backend.store.outage import Patience
from backend.store.overview import Overview
from backend.store.people import People
from backend.store.predictions import Predictions
from backend.store.previews import Previews
from backend.store.queues import QueueRow
from backend.store.reviews import Reviews
from backend.store.runs import Runs
from backend.store.sets import Sets
from backend.store.snapshot import copy_database, writable
from backend.store.tasks import Tasks
from backend.store.trainings import Trainings
from backend.store.upgrade import upgrade
from backend.training.base import Tools
from backend.training.judging import asked_with, judge_of
from backend.training.launch import TrainingLauncher

if TYPE_CHECKING:
    from backend.export.exporter import Manifest


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything a command, a worker or a page works with."""

    settings: Settings
    folder: Path
    database: Database
    datasets: Datasets
    runs: Runs
    predictions: Predictions
    jobs: Jobs
    rulings: Rulings
    launcher: Launcher
    trainings: Trainings
    training_launcher: TrainingLauncher
    tasks: Tasks
    person: Person = LOCAL
    read_only: str = ""
    """Why nothing can be changed here, and as of when it is shown; empty where something can."""
    scratch: TemporaryDirectory[str] | None = None
    """A private folder for what a read-only workspace cannot keep itself."""

    @property
    def cache(self) -> Path:
        """A folder for what can be made again at any time."""
        return (Path(self.scratch.name) if self.scratch else self.folder) / "cache"

    @property
    def people(self) -> People:
        """Who works here, and their settings."""
        return People(self.database)

    @property
    def queues(self) -> Queues:
        """Review queues."""
        return Queues(self.database)

    @property
    def loops(self) -> Loops:
        """Loops."""
        return Loops(self.database)

    @property
    def sets(self) -> Sets:
        """Frozen sets."""
        return Sets(self.database)

    @property
    def reviews(self) -> Reviews:
        """Rulings as they are stored."""
        return Reviews(self.database)

    @property
    def items(self) -> Items:
        """Predictions as the viewer draws them."""
        return Items(self.database)

    @property
    def browse(self) -> Browse:
        """Predictions by filter."""
        return Browse(self.database)

    @property
    def overview(self) -> Overview:
        """The numbers of the overview."""
        return Overview(self.database)

    @property
    def failures(self) -> Failures:
        """Pairs that a run could not judge."""
        return Failures(self.database)

    @property
    def comparisons(self) -> Comparisons:
        """Two runs beside each other."""
        return Comparisons(self.database)

    @property
    def blindness(self) -> Blindness:
        """What a reviewer must not know yet."""
        return Blindness(self.database)

    @property
    def previews(self) -> Previews:
        """What a set would hold, and differences of sets."""
        return Previews(self.database)

    @property
    def audits(self) -> Audits:
        """Results of audits."""
        return Audits(self.database)

    @property
    def ruling_rows(self) -> RulingRows:
        """Rulings as rows of a file."""
        return RulingRows(self.database)

    def here(self, person: Person) -> Person:
        """A person in the role that they can have here."""
        return replace(person, role=Role.ONLOOKER) if self.read_only else person

    def acting_as(self, person: Person) -> Self:
        """The same workspace in somebody's name: what they may not do is refused."""
        person = self.here(person)
        return replace(
            self,
            person=person,
            launcher=self.launcher.acting_as(person),
            training_launcher=self.training_launcher.acting_as(person),
        )

    def supervise(self) -> None:
        """See to it that queued runs start and cancelled ones stop."""
        if self.read_only:
            return
        ensure_supervisor(
            self._url(),
            self.folder,
            stale_seconds=self.settings.stale_seconds,
            silence_seconds=self.settings.silence_seconds,
            outage_seconds=self.settings.outage_seconds,
        )

    def begin(self, operation: Operation, title: str, arguments: Mapping[str, Any]) -> int:
        """Start an operation as a task, in a process of its own; returns the task's id.

        It goes on whatever becomes of this process, and is seen, cancelled and resumed like a run.

        Args:
            operation: One of :data:`backend.task.HANDLERS`.
            title: What it is done to, for a person.
            arguments: Of the method that is guarded by the operation, as JSON can hold them.

        Raises:
            Forbidden: The present person may not do that.
        """
        require(self.person, operation)
        with self.database.write() as connection:
            task_id = self.tasks.add(
                connection, operation=operation.name, title=title, arguments=arguments, person=self.person.name
            )
            job_id = self.jobs.add(
                kind="task",
                argv=[sys.executable, "-m", "backend.task", str(task_id), "--workspace", str(self.folder)],
                env={"PYTHONPATH": python_path(self.folder)},
                devices="",
                log_path=self.folder / "logs" / f"task-{task_id}.log",
                connection=connection,
            )
            self.tasks.set_job(connection, task_id, job_id)
        self.supervise()
        return task_id

    def cancel_task(self, task_id: int) -> None:
        """Ask for a task to be stopped. What it has committed stays; rulings on many can be taken back.

        Raises:
            NotFound: There is no such task.
            RunError: It has ended.
            Forbidden: The present person may not start such a one.
        """
        row = self.tasks.get(task_id)
        require(self.person, Operation[row.operation])
        self.jobs.request_cancel(row.job_id)
        self.supervise()

    def resume_task(self, task_id: int) -> None:
        """Start a task again that was cut off.

        Raises:
            NotFound: There is no such task.
            RunError: It has not ended.
            Forbidden: The present person may not start such a one.
        """
        row = self.tasks.get(task_id)
        require(self.person, Operation[row.operation])
        self.jobs.requeue(row.job_id)
        self.supervise()

    @guarded(Operation.ADD_DATASET)
    def add_dataset(
        self,
        *,
        name: str,
        spec: str,
        data_root: Path | None = None,
        links_to: Sequence[Path] | None = None,
        check_media: bool = True,
        progress: Callable[[int], None] | None = None,
    ) -> DatasetRow:
        """Import a dataset in the present person's name; see :mod:`backend.ingest.importer`.

        Raises:
            Forbidden: Only operators may.
        """
        # Here, because workers open workspaces in interpreters that need not read datasets.
        from backend.ingest.importer import import_dataset

        return import_dataset(
            self.database,
            name=name,
            spec=spec,
            data_root=data_root,
            links_to=links_to,
            check_media=check_media,
            progress=progress,
        )

    @guarded(Operation.MAKE_QUEUE)
    def make_queue(self, new: NewQueue, *, ids: Iterable[int] | None = None) -> QueueRow:
        """Make a review queue in the present person's name; see ``Queues.make``."""
        return self.queues.make(new, created_by=self.person.name or "somebody", ids=ids)

    @guarded(Operation.CLOSE_QUEUE)
    def close_queue(self, queue: QueueRow, on: bool) -> None:
        """Take one's own queue out of everybody's list, or put it back.

        Raises:
            Forbidden: Somebody else made it.
        """
        if queue.created_by != self.person.name:
            raise Forbidden("only whoever made a queue closes it", hint=f"ask {queue.created_by}")
        self.queues.set_closed(queue, on)

    @guarded(Operation.FREEZE)
    def freeze(
        self,
        name: str,
        run_ids: Sequence[int],
        *,
        balance: Balance | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> SetRow:
        """Freeze a set in the present person's name; see :func:`backend.curation.sets.freeze`.

        Raises:
            Forbidden: Only operators may.
            RunError: A run is still going.
        """
        self.refuse_going(run_ids)
        return freeze(self.database, name, run_ids, balance=balance, progress=progress)

    def refuse_going(self, run_ids: Sequence[int]) -> None:
        """Refuse runs whose predictions may still change.

        Raises:
            RunError: A run is still going.
        """
        for run_id in run_ids:
            run = self.runs.get(run_id)
            if run.status in OPEN:
                raise RunError(f"run {run_id} is {run.status}", hint="wait for it, or cancel it")

    @guarded(Operation.EXPORT)
    def export(
        self,
        /,
        set_row: SetRow,
        *,
        format: str,
        out: Path,
        progress: Callable[[int], None] | None = None,
        **chosen: Any,
    ) -> Manifest:
        """Export a set in the present person's name; see :func:`backend.export.exporter.export_set`.

        Raises:
            Forbidden: Only operators may.
        """
        from backend.export.exporter import export_set

        return export_set(self.database, set_row, format=format, out=out, progress=progress, **chosen)

    @guarded(Operation.EVALUATE)
    def evaluate(
        self,
        training_id: int,
        dataset: str,
        *,
        checkpoint: Path | None = None,
        engine: str = "auto",
        options: EngineOptions | None = None,
        order: OrderPolicy | None = None,
        limit: int | None = None,
        noted: Callable[[Connection, int], None] | None = None,
    ) -> int:
        """Start a run that measures a training's checkpoint; returns the run's id.

        The judge is asked with the instruction that it was trained on.

        Args:
            checkpoint: One of the training's; the best one when not given.
            noted: As of :meth:`backend.inference.launch.Launcher.start`.

        Raises:
            TrainingError: There is no checkpoint that a judge can be loaded from.
            EngineError: It is to be asked of a server that does not have it.
            Forbidden: Only operators may.
        """
        view = self.training_launcher.view(training_id)
        path = judge_of(view, checkpoint)
        if options is not None and asks_servers(engine, options):
            # Here, because not every command needs what speaks to servers.
            from backend.engines.openai import check_served

            check_served(str(path), options)
        use_cot, instruction = asked_with(self.database, view.spec)

        def note(connection: Connection, run_id: int) -> None:
            self.trainings.add_evaluation(connection, run_id=run_id, training_id=training_id, checkpoint=str(path))
            if noted is not None:
                noted(connection, run_id)

        run_id, _ = self.launcher.start(
            RunRequest(
                dataset=dataset,
                model=str(path),
                engine=engine,
                options=options or EngineOptions(video_fps=view.spec.fps, max_pixels=view.spec.max_pixels),
                order=order,
                limit=limit,
                use_cot=use_cot,
                instruction=instruction,
            ),
            noted=note,
        )
        return run_id

    @property
    def tools(self) -> Tools:
        """Where trainers find what is not ours."""
        return tools_of(self.settings)

    @property
    def patience(self) -> Patience:
        """For what waits while the database is away."""
        return Patience(self.settings.outage_seconds)

    @guarded(Operation.RULE_ON_ALL)
    def rule_on_all(
        self,
        prediction_ids: Sequence[int],
        ruling: str,
        *,
        note: str = "",
        tags: Sequence[str] = (),
        token: str,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """One ruling on many predictions in the present person's name; see ``BulkRulings.add``.

        Raises:
            Forbidden: Only operators may.
        """
        return BulkRulings(self.database).add(
            prediction_ids, ruling, note=note, tags=tags, reviewer=self.person.name, token=token, progress=progress
        )

    @guarded(Operation.UNDO_ACT)
    def undo_act(self, token: str, *, progress: Callable[[int], None] | None = None) -> tuple[int, int]:
        """Take back a :meth:`rule_on_all`; see ``BulkRulings.undo``.

        Raises:
            Forbidden: Only operators may.
        """
        return BulkRulings(self.database).undo(token, reviewer=self.person.name, progress=progress)

    def reconcile(self) -> None:
        """Find runs whose process is gone and mark them; finish what was cut off without one."""
        if self.read_only:
            return
        reconcile(self.jobs, self.folder, stale_seconds=self.settings.stale_seconds)
        self.launcher.finish_deciding()
        clear_abandoned(self.database)

    def _url(self) -> str:
        return self.database.url.render_as_string(hide_password=False)

    def close(self) -> None:
        self.database.close()
        if self.scratch is not None:
            self.scratch.cleanup()


def settings_for(folder: Path | None) -> Settings:
    """The environment's settings, with the workspace's folder replaced where one is given."""
    settings = Settings.from_environment()
    return settings.model_copy(update={"workspace": folder}) if folder else settings


def tools_of(settings: Settings) -> Tools:
    """Interpreters and checkouts of the trainers, as the environment names them."""
    home = settings.lightrft_home
    return Tools(dict(settings.engine_pythons), str(home) if home else None)


def open_workspace(settings: Settings) -> Workspace:
    """Open a workspace, making or upgrading it where needed. One that is there and cannot be written is
    opened to be looked at.

    Raises:
        StoreError: The folder or its database cannot be used.
        NewerWorkspace: It was made by a newer Winnow.
    """
    folder = settings.workspace
    DECODING.limit = settings.decode_memory
    if not _changeable(settings):
        return _open_to_look(settings)
    try:
        make_private(folder, settings.shared_gid)
        make_folder(folder / "logs")
        if settings.database_url is None and not (folder / "winnow.db").exists():
            # Before SQLite does it, which gives its other files the mode of this one.
            with suppress(FileExistsError):
                write_whole(folder / "winnow.db", b"", replace=False)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be used as a workspace ({error.strerror})", hint="give another folder for the workspace"
        ) from error
    database = Database(settings.database_url or folder / "winnow.db")
    upgrade(database)
    return _wired(settings, database)


def _changeable(settings: Settings) -> bool:
    """Whether a workspace can be written, or there is none yet."""
    file = Database.file_of(settings.database)
    there = settings.workspace.is_dir() and (file is None or file.exists())
    return not there or (os.access(settings.workspace, os.W_OK) and (file is None or writable(file)))


def _open_to_look(settings: Settings) -> Workspace:
    """Open what cannot be written: an SQLite database in a private copy of now."""
    scratch = TemporaryDirectory(prefix="winnow-read-only-")
    try:
        words, file = "read-only", Database.file_of(settings.database)
        if file is None:
            database = Database(settings.database)
            database.read_only = True
            upgrade(database)
        else:
            copy_database(file, Path(scratch.name) / file.name)
            words += f"; as of {datetime.now().astimezone():%Y-%m-%d %H:%M}"
            database = Database(Path(scratch.name) / file.name)
            # An older schema is brought up to date in the copy.
            upgrade(database)
            database.read_only = True
    except BaseException:
        scratch.cleanup()
        raise
    space = replace(_wired(settings, database), read_only=words, scratch=scratch)
    return space.acting_as(LOCAL)


def _wired(settings: Settings, database: Database) -> Workspace:
    folder = settings.workspace
    return Workspace(
        settings=settings,
        folder=folder,
        database=database,
        datasets=Datasets(database),
        runs=Runs(database),
        predictions=Predictions(database),
        jobs=Jobs(database),
        rulings=Rulings(database),
        trainings=Trainings(database),
        training_launcher=TrainingLauncher(database, folder, tools=tools_of(settings)),
        tasks=Tasks(database),
        launcher=Launcher(
            database,
            folder,
            worker_arguments=["--workspace", str(folder)],
            pythons=dict(settings.engine_pythons),
            variables=settings.of_workers,
        ),
    )
