"""The server of a loop's judges: started for each new one, and stopped before it is trained further.

Engine ``openai`` asks whoever answers at its endpoints. A server that still holds an earlier round's
weights would judge with those in the new judge's name; so the loop starts the server itself, and asks
nothing of it before it says that it offers the judge that is meant.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from backend.domain.foreign import quoted
from backend.engines.base import EngineOptions
from backend.engines.openai import check_served, served_models
from backend.errors import RunError, UsageError
from backend.hints import Field, Hint
from backend.jobs.kept import GRACE_S
from backend.jobs.marks import MARK
from backend.jobs.processes import is_alive, reap, spawn, stop_group, stop_marked
from backend.jobs.reconcile import last_line
from backend.loop.driver import Hold
from backend.loop.spec import LoopSpec
from backend.training.command import places_in

START_S = 1800.0
"""What a server is given to load a judge, as long as its process lives."""

MODEL = "{model}"
_EXAMPLE = Hint("{serve}", serve=Field("serve", f"vllm serve {MODEL} --port 8000"))
_POLL_S = 0.3

_KEPT = "import sys; sys.path.insert(0, sys.argv[1]); from backend.jobs.kept import main; sys.exit(main(sys.argv[2:]))"
"""All of the server ends with the loop's process. It runs in the workspace's folder, where a checkout that
is not installed is not found."""


def check_serving(spec: LoopSpec) -> None:
    """Refuse a loop in which a new judge would be asked of a server that does not have it.

    Raises:
        UsageError: It would, or the template cannot be started or says nothing of the judge.
    """
    if spec.serve and not spec.by_server:
        raise UsageError(
            f"engine {spec.engine} loads each judge itself", about=Field("serve"), hint=Hint("{engine:openai}, or none")
        )
    if not spec.serve:
        if spec.by_server and (spec.rounds > 1 or spec.holdout is not None):
            raise UsageError(
                "engine openai asks servers, which do not have the judges that the loop trains",
                hint=Hint("{example} has the loop start one for each judge; or {engine:vllm}", example=_EXAMPLE),
            )
        return
    unknown = sorted(places_in(spec.serve) - {"model"})
    if unknown or not places_in(spec.serve):
        said = f"there is no {{{unknown[0]}}}" if unknown else f"{MODEL} is missing"
        raise UsageError(f"{said} in the command", about=Field("serve"), hint=_EXAMPLE)
    if shutil.which(spec.serve[0]) is None:
        raise UsageError(f"there is no program {spec.serve[0]}", about=Field("serve"), hint=_EXAMPLE)


def stop_server(folder: Path, loop_id: int) -> bool:
    """Stop what a loop's server left behind, or another process of the loop still runs; whether it did."""
    return stop_marked(_mark(folder, loop_id), grace=GRACE_S)


class JudgeServer:
    """The server of one loop; at most one at a time, with one judge.

    Args:
        folder: The workspace's.
    """

    def __init__(self, folder: Path, loop_id: int, hold: Hold, say: Callable[[str], None]) -> None:
        self._folder, self._id, self._hold, self._say = folder, loop_id, hold, say
        self._log = folder / "logs" / f"loop-{loop_id}-server.log"
        self._model: str | None = None
        self._process: tuple[int, float] | None = None

    def serve(self, spec: LoopSpec, model: str) -> None:
        """Have the endpoints answer as ``model``, and as nothing else. Does nothing without a template.

        Raises:
            RunError: It ended, took too long, or somebody else answers there; or the loop was cancelled.
            EngineError: It offers another model.
        """
        if not spec.serve or (model == self._model and self._lives()):
            return
        self.stop()
        self._refuse_another(spec.options)
        argv = [word.replace(MODEL, model) for word in spec.serve]
        self._say(f"serving {model}: {shlex.join(argv)}")
        root = str(Path(__file__).resolve().parents[2])
        self._process = spawn(
            [sys.executable, "-c", _KEPT, root, str(os.getpid()), *argv],
            env={MARK: _mark(self._folder, self._id)},
            log_path=self._log,
            cwd=self._folder,
        )
        self._wait(spec.options, model)
        self._model = model

    def check(self) -> None:
        """Notice that the server has ended while it is asked.

        Raises:
            RunError: It has.
        """
        if self._process is not None and not self._lives():
            self._process = self._model = None
            line = last_line(self._log)
            raise RunError(
                f"the server of the judge has ended{': ' + line if line else ''}",
                hint=Hint(
                    "its log is {log}; {RESUME_LOOP} starts it again, with another {serve} where that is the reason",
                    on=self._id,
                    log=str(self._log),
                ),
            )

    def stop(self) -> None:
        """Stop it and verify that nothing of it is left.

        Raises:
            RunError: Something is.
        """
        if self._process is not None:
            self._say(f"stopping the server of {self._model or 'the judge'}")
            pid, started = self._process
            stopped = stop_group(pid, started, mark=_mark(self._folder, self._id), grace=GRACE_S)
        else:
            # Of a loop's process that was killed.
            stopped = stop_server(self._folder, self._id)
        reap()
        if not stopped:
            raise RunError("the server of the judge does not end", hint=f"its log is {self._log}")
        self._process = self._model = None

    def _lives(self) -> bool:
        reap()
        return self._process is not None and is_alive(*self._process)

    def _refuse_another(self, options: EngineOptions) -> None:
        for url in options.endpoints:
            models = served_models(url, options)
            if models is not None:
                raise RunError(
                    f"a server answers at {url} already, and offers {quoted(', '.join(models[:5]))}",
                    hint="stop it: the loop starts its own for each judge",
                )

    def _wait(self, options: EngineOptions, model: str) -> None:
        deadline = time.monotonic() + START_S
        waiting = list(options.endpoints)
        while waiting:
            self._hold.beat()
            self.check()
            if time.monotonic() > deadline:
                raise RunError(
                    f"nobody answers at {waiting[0]} after {START_S / 60:.0f} minutes",
                    hint=f"the server's log is {self._log}; does it listen on that port?",
                )
            if served_models(waiting[0], options) is None:
                time.sleep(_POLL_S)
            else:
                waiting.pop(0)
        check_served(model, options)


def _mark(folder: Path, loop_id: int) -> str:
    return f"server of loop {loop_id} of {folder.resolve()}"
