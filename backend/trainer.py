"""The process of one training: ``python -m backend.trainer TRAINING --workspace FOLDER``.

It exports the sets, looks at the media, starts the trainer's own command in its process group, and
writes down how far that is. The twin of :mod:`backend.worker`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from backend.domain.devices import shown_gpus
from backend.domain.jobs import JobStatus
from backend.errors import StoreError, StoreUnavailable, TrainingError, WinnowError
from backend.export.claim import MANIFEST
from backend.export.exporter import export_set, is_our_export
from backend.files import Folder, make_folder, narrow_umask
from backend.hints import Hint, from_text
from backend.job_process import Claimed, run_process
from backend.jobs.gpus import gpu_uuids
from backend.jobs.marks import MARK
from backend.jobs.processes import stop_marked
from backend.store.database import Database
from backend.store.outage import Patience
from backend.store.sets import Sets
from backend.store.trainings import TrainingRow
from backend.training.base import Command, Trainer
from backend.training.command import write_dataset_info
from backend.training.data import check_media, format_of, set_folder
from backend.training.failures import explain
from backend.training.folder import FAILURE, STOP, claim, held, owner_of, read_json
from backend.training.plan import command_line
from backend.training.progress import progress_of
from backend.training.registry import TRAINERS, kind_of, load_trainer
from backend.training.spec import TrainingSpec
from backend.training.stopping import end, grace_of, kill, resume_words
from backend.workspace import Workspace

log = logging.getLogger("winnow.trainer")

_POLL_S = 0.2
_PROGRESS_S = 1.0
_BEAT_S = 1.0
_REST_GRACE_S = 2.0


def main(arguments: list[str] | None = None) -> int:
    """Run one training; the exit code is 0 only when it finished."""
    return run_process("trainer", _work, arguments)


def _work(workspace: Workspace, training_id: int, stop: threading.Event, patience: Patience) -> int:
    row = patience.call(lambda: workspace.trainings.get(training_id))
    with Claimed(workspace, row.job_id, stop, patience) as job:
        try:
            if not _train(workspace, row, stop, job.pid, patience):
                hint = _resume_words(workspace, row)
                log.info("training %d stopped; %s", row.id, hint)
                return job.finish(JobStatus.CANCELLED if job.cancelled else JobStatus.INTERRUPTED, hint=hint)
        except StoreUnavailable:
            raise  # There is nowhere to say so; whoever finds the process gone reads its exit code.
        except WinnowError as failure:
            log.error("%s", failure.line)
            return job.finish(JobStatus.FAILED, failure.message, failure.hint)
        except Exception as failure:
            log.exception("training %d failed", row.id)
            line = f"{type(failure).__name__}: {failure}".splitlines()[0]
            return job.finish(JobStatus.FAILED, line, Hint("{TRAINING_LOG} has the rest", on=row.id))
    return job.finish(JobStatus.FINISHED)


def _resume_words(workspace: Workspace, row: TrainingRow) -> Hint:
    trainer = load_trainer(row.trainer, workspace.tools)
    return resume_words(row.id, TRAINERS.named(row.trainer), trainer.checkpoints(Path(row.output_dir)))


def _train(workspace: Workspace, row: TrainingRow, stop: threading.Event, pid: int, patience: Patience) -> bool:
    """Everything of one training; false when it was stopped."""
    spec, folder = TrainingSpec.model_validate(row.spec), Path(row.output_dir)
    trainer = load_trainer(spec.trainer, workspace.tools)
    # A folder elsewhere is as open as the person wants it: their umask goes on deciding there.
    narrow_umask(folder)
    claim(folder, owner_of(workspace.folder, row.id), spec)
    with held(folder) as lock:
        patience.call(lambda: workspace.trainings.set_progress(row.id, {"stage": "exporting"}))
        patience.call(lambda: export_sets(workspace.database, spec, folder))
        if stop.is_set():
            return False
        count = check_media(folder)
        log.info("training %d: %d media, all as they were", row.id, count)
        for left in (FAILURE, STOP):
            (folder / left).unlink(missing_ok=True)
        command = trainer.command(spec, folder)
        log.info("training %d: %s", row.id, command_line(command))
        watcher = _Watcher(workspace, row, spec, trainer, pid)
        code = watcher.run(command, lock, stop)
        watcher.report()
        if stop.is_set():
            return False
        if code != 0:
            said = read_json(folder / FAILURE)
            if "error" in said:
                raise TrainingError(said["error"], hint=from_text(said.get("hint")))
            message, hint = explain(Path(row.log_path), code, watcher.log_size)
            raise TrainingError(message, hint=hint)
        if not kind_of(spec).by_template and not any(c.final for c in trainer.checkpoints(folder)):
            raise TrainingError("the trainer ended well but left no finished judge", hint="its log says more")
    log.info("training %d finished", row.id)
    return True


def export_sets(database: Database, spec: TrainingSpec, folder: Path) -> None:
    """Write each set into the training's folder, unless its export is there already.

    Raises:
        TrainingError: A set is not what it was when the training was started.
        ExportError: It cannot be written.
    """
    known = {row.id: row for row in Sets(database).list()}
    for ref in spec.sets:
        row = known.get(ref.id)
        if row is None or row.content_hash != ref.content_hash:
            raise TrainingError(f"set {ref.name}@{ref.version} is not what it was", hint="start a new training")
        out = set_folder(folder, ref.id)
        made = read_json(out / MANIFEST)
        if made.get("set", {}).get("content_hash") == ref.content_hash:
            continue
        log.info("exporting %s@%d to %s", ref.name, ref.version, out)
        if not is_our_export(out):
            # What an export that was cut off left behind; the folder is all ours.
            _remove(out)
        manifest = export_set(
            database, row, format=format_of(spec), out=out, split=spec.validation, judge=spec.model, below=folder
        )
        for line in manifest.notes:
            log.warning("%s@%d: %s", ref.name, ref.version, line)
    if kind_of(spec).by_template:
        write_dataset_info(folder)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError), Folder.at(path.parent, make=False) as above:
        above.remove(path.name)


class _Watcher:
    """Runs a training's command, writes down how far it is, and ends it when a stop is asked for.

    Args:
        pid: Under which the job was claimed.
    """

    def __init__(self, workspace: Workspace, row: TrainingRow, spec: TrainingSpec, trainer: Trainer, pid: int) -> None:
        self._workspace, self._row, self._spec, self._trainer = workspace, row, spec, trainer
        self._pid, self._folder = pid, Path(row.output_dir)
        self._began = self._beaten = time.time()
        self._said: set[str] = set()
        # Of what an earlier attempt left in the log.
        self.log_size = 0

    def run(self, command: Command, lock: int, stop: threading.Event) -> int:
        """Run it to its end, or stop it; its exit code.

        Args:
            lock: The descriptor of the folder's lock, which the command's process holds as well.

        Raises:
            TrainingError: It cannot be started, or its loss is no number any more.
        """
        child = self._start(command, lock)
        try:
            self._follow(child, stop)
            if child.poll() is None:
                self._stop(child, command)
        finally:
            if child.poll() is None:
                kill(child)
            self._end_rest()
        return int(child.returncode)

    def report(self, **more: Any) -> dict[str, Any]:
        """Write down how far it is. A training of days does not end because that failed once."""
        progress: dict[str, Any] = {}
        try:
            progress = {**progress_of(self._spec, self._trainer, self._folder), **more}
            self._workspace.trainings.set_progress(self._row.id, progress)
        except Exception as error:  # noqa: BLE001 - whatever it was
            kind = type(error).__name__
            if kind not in self._said:
                self._said.add(kind)
                log.warning("cannot tell how far it is (%s: %s); it goes on", kind, error)
        return progress

    def _start(self, command: Command, lock: int) -> subprocess.Popen[bytes]:
        try:
            make_folder(self._folder / "model", below=self._folder)
        except OSError as error:
            raise TrainingError(
                f"{self._folder / 'model'}: cannot be used ({error.strerror})",
                hint=Hint("delete what stands in its place, or give another {output_dir}"),
            ) from error
        self._began = time.time()
        with contextlib.suppress(OSError):
            self.log_size = Path(self._row.log_path).stat().st_size
        try:
            # In our process group and session, so that whoever stops us stops it as well.
            return subprocess.Popen(  # noqa: S603 - a list of arguments, and no shell
                list(command.argv),
                env={**os.environ, **command.env, **self._shown()},
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                pass_fds=(lock,),
            )
        except OSError as error:
            raise TrainingError(
                f"cannot start {command.argv[0]}: {error.strerror}",
                hint="check that the trainer's interpreter or program exists",
            ) from error

    def _shown(self) -> dict[str, str]:
        """The GPUs of this machine that the training works on; a command's line names those of any."""
        return shown_gpus(self._spec.device, os.environ, gpu_uuids)

    def _follow(self, child: subprocess.Popen[bytes], stop: threading.Event) -> None:
        due = 0.0
        while child.poll() is None and not stop.is_set():
            if time.monotonic() >= due:
                started = time.monotonic()
                progress = self.report()
                if progress.get("diverged"):
                    raise TrainingError(
                        f"the loss is not a number at step {progress['step']}",
                        hint=Hint("lower {actor_learning_rate} and start another training"),
                    )
                # Long curves take longer to read; no more than a twentieth of the time goes there.
                took = time.monotonic() - started
                due = time.monotonic() + max(_PROGRESS_S, 20 * took)
            stop.wait(_POLL_S)

    def _stop(self, child: subprocess.Popen[bytes], command: Command) -> None:
        try:
            metrics = self._trainer.metrics(self._folder)
        except Exception:  # noqa: BLE001 - as in report
            metrics = ()
        grace = grace_of(metrics, self._began, time.time())
        log.info("training %d is asked to save and stop; it has %.0f s", self._row.id, grace)
        self.report(stage="stopping", eta_s=None)
        end(child, command, self._folder, grace, meanwhile=self._beat)

    def _beat(self) -> None:
        """Tell the supervisor, which kills what does not end, that this is at it."""
        if time.time() - self._beaten < _BEAT_S:
            return
        self._beaten = time.time()
        with contextlib.suppress(StoreError):
            self._workspace.jobs.heartbeat(self._row.job_id, self._pid)

    def _end_rest(self) -> None:
        """End what the command started and left, in whatever session that is."""
        mark = os.environ.get(MARK)
        if mark and not stop_marked(mark, grace=_REST_GRACE_S):
            log.warning("training %d: not all of it could be stopped", self._row.id)


if __name__ == "__main__":
    sys.exit(main())
