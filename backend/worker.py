"""The process of one run: ``python -m backend.worker RUN --workspace FOLDER``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from backend.domain.filtering import load_policy
from backend.engines.registry import load_engine
from backend.errors import WinnowError
from backend.inference.deciding import redecide
from backend.inference.launch import judged_pairs
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec
from backend.jobs.heartbeat import Heartbeat
from backend.jobs.processes import this_process
from backend.jobs.states import JobStatus
from backend.store.runs import RunRow
from backend.workspace import Workspace, open_workspace, settings_for

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
        try:
            _run(workspace, run, stop)
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
            # The supervisor's signal may come before the heartbeat has seen why.
            cancelled = heartbeat.cancelled.is_set() or _cancel_requested(workspace, run)
            status = JobStatus.CANCELLED if cancelled else JobStatus.INTERRUPTED
            _finish(
                workspace, run, pid, status, None, f"`winnow run resume {run.id}` goes on with it"
            )
            return 1
    _finish(workspace, run, pid, JobStatus.FINISHED, None, None)
    log.info("run %d finished: %s", run.id, workspace.runs.counts(run.id))
    return 0


def _line(error: WinnowError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _pass_on(cancelled: threading.Event, stop: threading.Event) -> None:
    cancelled.wait()
    stop.set()


def _run(workspace: Workspace, run: RunRow, stop: threading.Event) -> None:
    spec = RunSpec.model_validate(run.spec)
    policy = load_policy(run.policy)
    dataset = workspace.datasets.by_id(run.dataset_id)
    log.info("run %d: %s on %s by %s", run.id, spec.model, dataset.name, spec.engine)
    engine = load_engine(spec.engine, spec.model, spec.options)
    try:
        Pipeline(
            workspace.database,
            run_id=run.id,
            dataset_id=run.dataset_id,
            data_root=Path(dataset.data_root),
            links_to=dataset.links_to,
            spec=spec,
            policy=policy,
            total=run.total,
            stop=stop,
        ).run(engine)
    finally:
        engine.close()
    if not stop.is_set():
        redecide(workspace.database, run.id, policy, judged_pairs(dataset, spec.limit))


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
