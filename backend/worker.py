"""The process of one run: ``python -m backend.worker RUN --workspace FOLDER``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from backend.domain.devices import shown_gpus
from backend.domain.filtering import load_policy
from backend.domain.jobs import EXIT_UNAVAILABLE, JobStatus
from backend.engines.base import Engine
from backend.engines.registry import load_engine, loads_model
from backend.errors import EngineHung, StoreUnavailable, WinnowError
from backend.files import narrow_umask
from backend.hints import Hint
from backend.inference.deciding import redecide
from backend.inference.launch import judged_pairs
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec
from backend.inference.watch import EngineWatch
from backend.job_process import Claimed, run_process
from backend.jobs.gpus import gpu_uuids
from backend.jobs.marks import MARK
from backend.jobs.processes import stop_group
from backend.store.outage import Patience
from backend.store.runs import RunRow
from backend.workspace import Workspace

_CLOSE_S = 60.0
_GRACE_S = 5.0
"""For what a hung engine has started, between SIGTERM and SIGKILL."""

log = logging.getLogger("winnow.worker")


def main(arguments: list[str] | None = None) -> int:
    """Run one run; the exit code is 0 only when it finished."""
    return run_process("worker", _work, arguments)


def _work(workspace: Workspace, run_id: int, stop: threading.Event, patience: Patience) -> int:
    narrow_umask(workspace.folder)
    run = patience.call(lambda: workspace.runs.get(run_id))
    assert run.job_id is not None
    job = Claimed(workspace, run.job_id, stop, patience)

    def finish_stopped(error: str | None = None) -> int:
        """Cancelled, or interrupted by what ``error`` says."""
        cancelled = stop.is_set() and job.cancelled
        status = JobStatus.CANCELLED if cancelled else JobStatus.INTERRUPTED
        return job.finish(status, None if cancelled else error, Hint("{RESUME_RUN} goes on with it", on=run.id))

    def end(error: EngineHung) -> NoReturn:
        """The thread of an engine that has hung ends with this whole process alone."""
        log.error("%s", error.line)
        code = 1
        try:
            finish_stopped(error.message)
        except StoreUnavailable:
            code = EXIT_UNAVAILABLE
        finally:
            # Engines have processes of their own, which would keep the device.
            stop_group(job.pid, job.started, mark=os.environ.get(MARK) or None, grace=_GRACE_S)
            logging.shutdown()
            os._exit(code)

    with job:
        try:
            _run(workspace, run, stop, patience, end)
        except StoreUnavailable:
            raise  # There is nowhere to say so; whoever finds the process gone reads its exit code.
        except EngineHung as error:
            return finish_stopped(error.message)
        except WinnowError as error:
            log.error("%s", error.line)
            return job.finish(JobStatus.FAILED, error.message, error.hint)
        except Exception as error:
            log.exception("run %d failed", run.id)
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            return job.finish(JobStatus.FAILED, line, Hint("{RUN_LOG} has the rest", on=run.id))
        if stop.is_set():
            log.info("run %d stopped", run.id)
            return finish_stopped()
    job.finish(JobStatus.FINISHED)
    counts = patience.call(lambda: workspace.runs.counts(run.id))
    log.info("run %d finished: %s", run.id, counts)
    return 0


def _run(
    workspace: Workspace, run: RunRow, stop: threading.Event, patience: Patience, end: Callable[[EngineHung], NoReturn]
) -> None:
    spec = RunSpec.model_validate(run.spec)
    policy = load_policy(run.policy)
    dataset = patience.call(lambda: workspace.datasets.by_id(run.dataset_id))
    log.info("run %d: %s on %s by %s", run.id, spec.model, dataset.name, spec.engine)
    # Before its package is imported; a run that an older version queued has it not from its start.
    if loads_model(spec.engine):
        os.environ.update(shown_gpus(spec.options.device, os.environ, gpu_uuids))
    pipeline: Pipeline | None = None

    def hung(error: EngineHung) -> None:
        if pipeline is not None:
            pipeline.give_up(error)
        end(error)

    watch = EngineWatch(
        silence_s=workspace.settings.silence_seconds,
        load_s=workspace.settings.load_seconds,
        stop=stop,
        said=lambda notice: workspace.runs.say(run.id, notice),
        hung=hung,
    )
    with watch.loading():
        engine = load_engine(spec.engine, spec.model, spec.options)
    try:
        pipeline = Pipeline(
            workspace.database,
            run_id=run.id,
            dataset_id=run.dataset_id,
            data_root=Path(dataset.data_root),
            links_to=dataset.links_to,
            spec=spec,
            policy=policy,
            total=run.total,
            stop=stop,
            patience=patience,
            watch=watch,
        )
        pipeline.run(engine)
    finally:
        _close(engine)
    if not stop.is_set():
        pairs = judged_pairs(dataset, spec.limit)
        patience.call(lambda: redecide(workspace.database, run.id, policy, pairs))


def _close(engine: Engine) -> None:
    """Everything is stored by now, and this process ends: an engine that does not is left behind."""
    closing = threading.Thread(target=engine.close, name="engine-close", daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if closing.is_alive():
        log.warning("the engine does not close; going on without it")


if __name__ == "__main__":
    # A broken engine may leave threads that never end; the run's state is stored by now.
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
