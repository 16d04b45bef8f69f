"""The process of one run: ``python -m backend.worker RUN --workspace FOLDER``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from backend.domain.devices import shown_gpus
from backend.domain.filtering import load_policy
from backend.engines.base import Engine
from backend.engines.registry import LOADING, load_engine
from backend.errors import EngineHung, WinnowError
from backend.inference.deciding import redecide
from backend.inference.launch import judged_pairs
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec
from backend.inference.watch import EngineWatch
from backend.jobs.gpus import gpu_uuids
from backend.jobs.heartbeat import Heartbeat
from backend.jobs.marks import MARK
from backend.jobs.processes import stop_group, this_process
from backend.jobs.states import JobStatus
from backend.store.runs import RunRow
from backend.workspace import Workspace, open_workspace, settings_for

_CLOSE_S = 60.0
_GRACE_S = 5.0
"""For what a hung engine has started, between SIGTERM and SIGKILL."""

log = logging.getLogger("winnow.worker")


def main(arguments: list[str] | None = None) -> int:
    """Run one run; the exit code is 0 only when it finished."""
    parser = argparse.ArgumentParser(prog="backend.worker")
    parser.add_argument("run", type=int)
    parser.add_argument("--workspace", type=Path, required=True)
    given = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        workspace = open_workspace(settings_for(given.workspace))
        try:
            return _work(workspace, workspace.runs.get(given.run))
        finally:
            workspace.close()
    except WinnowError as error:
        log.error("%s", _line(error))
        return 1


def _work(workspace: Workspace, run: RunRow) -> int:
    assert run.job_id is not None
    # A wrapper may stand between the supervisor and this interpreter; the recorded process counts.
    pid, started = this_process(workspace.jobs.get(run.job_id).pid)
    workspace.jobs.claim(run.job_id, pid, started, socket.gethostname())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    seconds = workspace.settings.heartbeat_seconds
    with Heartbeat(workspace.jobs, run.job_id, seconds, pid=pid) as heartbeat:
        threading.Thread(target=_pass_on, args=(heartbeat.cancelled, stop), daemon=True).start()

        def end(error: EngineHung) -> NoReturn:
            """The engine's thread can be ended with this whole process alone."""
            log.error("%s", _line(error))
            try:
                _finish_stopped(workspace, run, pid, heartbeat, stop, error)
                # Engines have processes of their own, which would keep the device.
                stop_group(pid, started, mark=os.environ.get(MARK) or None, grace=_GRACE_S)
            finally:
                logging.shutdown()
                os._exit(1)

        try:
            _run(workspace, run, stop, end)
        except EngineHung as error:
            _finish_stopped(workspace, run, pid, heartbeat, stop, error)
            return 1
        except WinnowError as error:
            log.error("%s", _line(error))
            _finish(workspace, run, pid, JobStatus.FAILED, error.message, error.hint)
            return 1
        except Exception as error:
            log.exception("run %d failed", run.id)
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            _finish(
                workspace,
                run,
                pid,
                JobStatus.FAILED,
                line,
                f"`winnow run log {run.id}` has the rest",
            )
            return 1
        if stop.is_set():
            log.info("run %d stopped", run.id)
            _finish_stopped(workspace, run, pid, heartbeat, stop)
            return 1
    _finish(workspace, run, pid, JobStatus.FINISHED, None, None)
    log.info("run %d finished: %s", run.id, workspace.runs.counts(run.id))
    return 0


def _line(error: WinnowError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _pass_on(cancelled: threading.Event, stop: threading.Event) -> None:
    cancelled.wait()
    stop.set()


def _run(
    workspace: Workspace,
    run: RunRow,
    stop: threading.Event,
    end: Callable[[EngineHung], NoReturn],
) -> None:
    spec = RunSpec.model_validate(run.spec)
    policy = load_policy(run.policy)
    dataset = workspace.datasets.by_id(run.dataset_id)
    log.info("run %d: %s on %s by %s", run.id, spec.model, dataset.name, spec.engine)
    # Before its package is imported; a run that an older version queued has it not from its start.
    if spec.engine in LOADING:
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
            watch=watch,
        )
        pipeline.run(engine)
    finally:
        _close(engine)
    if not stop.is_set():
        redecide(workspace.database, run.id, policy, judged_pairs(dataset, spec.limit))


def _close(engine: Engine) -> None:
    """Everything is stored by now, and this process ends: an engine that does not is left behind."""
    closing = threading.Thread(target=engine.close, name="engine-close", daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if closing.is_alive():
        log.warning("the engine does not close; going on without it")


def _finish_stopped(
    workspace: Workspace,
    run: RunRow,
    pid: int,
    heartbeat: Heartbeat,
    stop: threading.Event,
    error: EngineHung | None = None,
) -> None:
    """Say that a run was cancelled, or interrupted, by what ended its engine if that is what did it."""
    hint = f"`winnow run resume {run.id}` goes on with it"
    # The supervisor's signal may come before the heartbeat has seen why.
    if stop.is_set() and (heartbeat.cancelled.is_set() or _cancel_requested(workspace, run)):
        _finish(workspace, run, pid, JobStatus.CANCELLED, None, hint)
    else:
        message = error.message if error else None
        _finish(workspace, run, pid, JobStatus.INTERRUPTED, message, hint)


def _cancel_requested(workspace: Workspace, run: RunRow) -> bool:
    assert run.job_id is not None
    return workspace.jobs.get(run.job_id).cancel_requested


def _finish(
    workspace: Workspace,
    run: RunRow,
    pid: int,
    status: JobStatus,
    error: str | None,
    hint: str | None,
) -> None:
    assert run.job_id is not None
    code = 0 if status is JobStatus.FINISHED else 1
    workspace.jobs.finish(run.job_id, status, exit_code=code, error=error, hint=hint, pid=pid)


if __name__ == "__main__":
    # A broken engine may leave threads that never end; the run's state is stored by now.
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
