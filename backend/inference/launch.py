"""Starting, resuming and re-filtering runs: what the command and the pages call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ConfigDict
from sqlalchemy import Connection

from backend.datasets.registry import SOURCES
from backend.domain.devices import named_gpus, shown_gpus
from backend.domain.filtering import PRESETS, Policy, load_policy
from backend.domain.jobs import OPEN, JobStatus
from backend.domain.operations import Operation, guarded
from backend.domain.pairs import MediaKind, OrderPolicy
from backend.domain.people import LOCAL, Person
from backend.engines.base import EngineOptions
from backend.engines.installed import has_gpu
from backend.engines.models import check_model
from backend.engines.registry import ENGINES, ResolvedEngine, asks_servers, loads_model, resolve_engine
from backend.errors import EngineUnavailable, RunError, UsageError
from backend.hints import Field, Hint
from backend.inference.deciding import redecide
from backend.inference.reparsing import Preview, Reparsed, preview_reparse, reparse
from backend.inference.spec import RunOptions, RunSpec, instructions
from backend.jobs.devices import parse_devices
from backend.jobs.gpus import gpu_uuids, list_gpus
from backend.jobs.handover import forget, hand_over
from backend.jobs.own_path import python_path
from backend.store.database import Database
from backend.store.datasets import DatasetRow, Datasets
from backend.store.failures import Failures
from backend.store.jobs import Jobs
from backend.store.runs import RunRow, Runs
from backend.store.unfinished import marked_runs, refuse_while


class RunRequest(RunOptions):
    """What a person asks for; the engine may be ``auto`` and the order unsaid.

    Attributes:
        instruction: One template, or one for each medium that has its own.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    dataset: str
    model: str
    engine: str = "auto"
    options: EngineOptions = EngineOptions()
    order: OrderPolicy | None = None
    instruction: str | Mapping[MediaKind, str] | None = None  # type: ignore[assignment]
    policy: Policy = PRESETS["agreement"]


class Launcher:
    """Starts and resumes runs as background jobs.

    Args:
        worker_arguments: What a worker needs to open the same workspace.
        pythons: Interpreter of each engine that has one of its own.
        variables: Of a worker's environment, whatever its supervisor's says.
        person: In whose name; every method refuses what that person may not do.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        worker_arguments: list[str],
        pythons: dict[str, str],
        variables: Mapping[str, str] = MappingProxyType({}),
        person: Person = LOCAL,
    ) -> None:
        self.person = person
        self._db = database
        self._folder = folder
        self._worker_arguments = worker_arguments
        self._pythons = pythons
        self._variables = variables
        self._datasets = Datasets(database)
        self._runs = Runs(database)
        self._jobs = Jobs(database)

    def acting_as(self, person: Person) -> Launcher:
        """The same launcher in somebody's name."""
        return Launcher(
            self._db,
            self._folder,
            worker_arguments=self._worker_arguments,
            pythons=self._pythons,
            variables=self._variables,
            person=person,
        )

    @guarded(Operation.START_RUN)
    def start(
        self, request: RunRequest, *, noted: Callable[[Connection, int], None] | None = None
    ) -> tuple[int, ResolvedEngine]:
        """Queue a run; returns its id and the engine that was chosen, with the reason.

        Args:
            noted: Writes the run's id down where it belongs, in the transaction that makes the run:
                there are both or none of them.

        Raises:
            NotFound: There is no such dataset.
            EngineError: The model is none, or no engine can run it, or its texts or its device are
                not there.
            RunError: The dataset is not ready.
            UsageError: The device is invalid, an endpoint is no URL, or the variable with the
                endpoints' key is named and not set.
            Forbidden: Only operators may.
        """
        dataset = self._datasets.get(request.dataset)
        if dataset.status != "ready":
            raise RunError(
                f"dataset {dataset.name} is not ready ({dataset.status})",
                hint=Hint("{ADD_DATASET} again goes on with an import that was cut off"),
            )
        engine = self.resolve(request)
        check_device(engine.name, request.options)
        model = self._model(request.model, engine.name)
        spec = RunSpec(
            model=model,
            engine=engine.name,
            options=request.options,
            order=request.order or default_order(dataset.source),
            samples=request.samples,
            seed=request.seed,
            limit=request.limit,
            use_cot=request.use_cot,
            instruction=instructions(request.instruction, use_cot=request.use_cot),
        )
        orders = 2 if spec.order is OrderPolicy.BOTH else 1
        with self._db.write() as connection:
            run_id = self._runs.add(
                connection,
                dataset_id=dataset.id,
                model=model,
                engine=engine.name,
                spec=spec.model_dump(mode="json"),
                policy=request.policy.to_mapping(),
                total=judged_pairs(dataset, spec.limit) * orders * spec.samples,
                job_id=None,
            )
            job_id = self._jobs.add(
                kind="run",
                argv=self._command(engine.name, run_id),
                env=self._environment(engine.name, spec.options.device),
                devices=devices_of(engine.name, spec.options),
                log_path=str(self._folder / "logs" / f"run-{run_id}.log"),
                connection=connection,
            )
            self._runs.set_job(connection, run_id, job_id)
            # Before the supervisor can see the job.
            self._hand_over(job_id, engine.name, request.options)
            if noted is not None:
                noted(connection, run_id)
        return run_id, engine

    @guarded(Operation.RESUME_RUN)
    def resume(self, run_id: int) -> None:
        """Queue what a run has left: what was cut off, and pairs that failed.

        The API key is the one of this process's environment.

        Raises:
            UsageError: The variable with the endpoints' key is named and not set.
            RunError: The run was imported, is still going, or has nothing left.
            Forbidden: Only operators may.
        """
        run = self._runs.get(run_id)
        if run.job_id is None:
            raise RunError(f"run {run_id} was imported and has no process", hint="import the file again")
        if run.status in OPEN:
            raise RunError(f"run {run_id} is {run.status}", hint=Hint("see {SHOW_RUN}", on=run_id))
        if run.status == JobStatus.FINISHED and not Failures(self._db).of_run(run_id):
            raise RunError(
                f"run {run_id} is finished and nothing failed", hint="start another run to judge the dataset again"
            )
        with self._db.read() as connection:
            # The worker would write its progress over the mark.
            refuse_while(connection, run_id, "reparsing")
        spec = RunSpec.model_validate(run.spec)
        if spec.engine not in self._pythons:
            ENGINES.named(spec.engine).check(spec.options)
        with self._db.write() as connection:
            self._jobs.requeue(run.job_id, connection=connection)
            self._hand_over(run.job_id, spec.engine, spec.options)

    @guarded(Operation.CANCEL_RUN)
    def cancel(self, run_id: int) -> RunRow:
        """Ask for a run to be stopped; the supervisor stops its whole process group.

        Raises:
            RunError: The run is not going.
            Forbidden: Only operators may.
        """
        run = self._runs.get(run_id)
        if run.job_id is None or run.status not in OPEN:
            raise RunError(
                f"run {run_id} is {run.status}; there is nothing to cancel",
                hint=Hint("{LIST_RUNS} shows what is going"),
            )
        if self._jobs.request_cancel(run.job_id) is JobStatus.CANCELLED:
            forget(self._folder, run.job_id)
        return run

    @guarded(Operation.DECIDE_ANEW)
    def refilter(self, run_id: int, policy: Policy) -> int:
        """Decide a run anew under ``policy``; returns how many predictions changed.

        Raises:
            RunError: The run is still going, or its import was cut off.
            Forbidden: Only operators may.
        """
        return self._redecide(self._at_rest(run_id), policy)

    @guarded(Operation.PARSE_AGAIN)
    def reparse(self, run_id: int, *, progress: Callable[[int], None] | None = None) -> Reparsed:
        """Read a run's texts again and decide it anew under its own policy; see
        :func:`backend.inference.reparsing.reparse`.

        Raises:
            RunError: The run is still going, or its import was cut off.
            Forbidden: Only operators may.
        """
        run = self._at_rest(run_id)
        spec = RunSpec.model_validate(run.spec)
        dataset = self._datasets.by_id(run.dataset_id)
        return reparse(
            self._db,
            run.id,
            load_policy(run.policy),
            judged_pairs(dataset, spec.limit),
            use_cot=spec.use_cot,
            progress=progress,
        )

    def preview_reparse(self, run_id: int, *, progress: Callable[[int], None] | None = None) -> Preview:
        """What :meth:`reparse` would change.

        Raises:
            RunError: The run is still going.
        """
        run = self._at_rest(run_id)
        spec = RunSpec.model_validate(run.spec)
        return preview_reparse(self._db, run.id, use_cot=spec.use_cot, progress=progress)

    def _at_rest(self, run_id: int) -> RunRow:
        run = self._runs.get(run_id)
        if run.status in OPEN:
            raise RunError(f"run {run_id} is {run.status}", hint="wait for it to finish, or cancel it")
        return run

    def finish_deciding(self) -> list[int]:
        """Decide anew the runs whose re-deciding was cut off; returns their ids.

        A run that has a process is left to it: it decides everything when it ends.
        """
        done = []
        for run_id, mark in marked_runs(self._db).items():
            run = self._runs.get(run_id)
            if mark.what == "deciding" and mark.abandoned and run.status not in OPEN:
                self._redecide(run, load_policy(run.policy))
                done.append(run_id)
        return done

    def _redecide(self, run: RunRow, policy: Policy) -> int:
        spec = RunSpec.model_validate(run.spec)
        dataset = self._datasets.by_id(run.dataset_id)
        return redecide(self._db, run.id, policy, judged_pairs(dataset, spec.limit))

    def resolve(self, request: RunRequest) -> ResolvedEngine:
        """The engine that a run would have, and why.

        Raises:
            UsageError: Unknown name, or an option the engine needs is missing.
            EngineError: The model is none, or no engine can run it here.
        """
        name = request.engine
        if name in self._pythons:
            # Its package lives in another interpreter; the worker there will say if it does not.
            return ResolvedEngine(name, f"its interpreter is {self._pythons[name]}")
        return resolve_engine(name, model=request.model, options=request.options)

    def _model(self, model: str, engine: str) -> str:
        if not loads_model(engine):
            return model
        check_model(model)
        # Absolute, because a worker may run in another folder and much later.
        return str(Path(model).resolve()) if Path(model).exists() else model

    def _environment(self, engine: str, device: str) -> dict[str, str]:
        path = {"PYTHONPATH": python_path(self._folder)}
        # Here, because the supervisor that starts the worker may live in another environment.
        return path | shown_gpus(device, os.environ, gpu_uuids) if loads_model(engine) else path

    def _hand_over(self, job_id: int, engine: str, options: EngineOptions) -> None:
        """What the run is to find in its environment: it may be started from an earlier command's."""
        variables = dict(self._variables)
        if asks_servers(engine, options):
            # Empty where there is none: then it uses none, whatever an earlier command had.
            variables[options.api_key_env] = os.environ.get(options.api_key_env, "")
        hand_over(self._folder, job_id, variables)

    def _command(self, engine: str, run_id: int) -> list[str]:
        python = self._pythons.get(engine, sys.executable)
        return [python, "-m", "backend.worker", str(run_id), *self._worker_arguments]


def default_order(source: str) -> OrderPolicy:
    """The order in which a dataset of ``source`` is shown unless told otherwise."""
    known = SOURCES.known(source)
    # Several sources in one dataset, or one that is gone: shuffled is right for all.
    return known.order if known else OrderPolicy.SHUFFLED


def judged_pairs(dataset: DatasetRow, limit: int | None) -> int:
    """How many pairs of a dataset a run judges."""
    pairs = int(dataset.counts.get("pairs", 0))
    return min(pairs, limit) if limit else pairs


def devices_of(engine: str, options: EngineOptions) -> str:
    """The device set that a local run holds while it goes; empty for engines that need none."""
    if not loads_model(engine):
        return ""
    if options.device != "auto":
        return options.device
    return "cuda" if Path("/dev/nvidiactl").exists() else "cpu"


def check_device(engine: str, options: EngineOptions) -> None:
    """Refuse a device that a run's worker would not find.

    Raises:
        UsageError: It is none, or a GPU that is not there or that the environment does not show.
        EngineUnavailable: It is a GPU, and there is none here.
    """
    if not loads_model(engine) or options.device == "auto":
        return
    devices = parse_devices(options.device)
    if not devices or any(
        not ((kind == "cuda" and (index is None or index.isdigit())) or (kind, index) == ("cpu", None))
        for kind, index in devices
    ):
        raise UsageError(
            "is none of auto, cpu, cuda and cuda:0,1",
            about=Field("device", options.device),
            hint="leave it out, and a GPU is taken where there is one",
        )
    if options.device == "cpu":
        return
    gpus = list_gpus()
    if gpus is None and not has_gpu():
        raise EngineUnavailable("there is no NVIDIA GPU here", hint=Hint("{device:cpu}, or leave it out"))
    known = {gpu.index for gpu in gpus or ()}
    lacking = [str(number) for number in named_gpus(options.device) if number not in known]
    if gpus is not None and lacking:
        raise UsageError(
            f"there is no GPU {', '.join(lacking)}",
            about=Field("device", options.device),
            hint=f"there are {len(gpus)}, counted from 0",
        )
    shown_gpus(options.device, os.environ, gpu_uuids)


__all__ = ["Launcher", "RunRequest", "default_order", "devices_of", "judged_pairs"]
