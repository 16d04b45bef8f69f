"""A small workspace whose runs are real processes, with a supervisor that the test ticks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.engines.base import EngineOptions
from backend.inference.launch import RunRequest
from backend.jobs.supervisor import Supervisor
from backend.store.runs import RunRow
from backend.workspace import open_workspace, settings_for
from tests.workspaces import write_image_pairs

PAIRS = 6


class Supervised:
    """The workspace; the supervisor's environment is the test's at the time of a tick."""

    def __init__(self, folder: Path, **supervisor: Any) -> None:
        write_image_pairs(folder / "media", PAIRS)
        self.space = open_workspace(settings_for(folder / "ws"))
        self.folder = self.space.folder
        spec = f"hpdv3:{folder / 'media' / 'pairs.json'}"
        self.space.add_dataset(name="d", spec=spec, check_media=False)
        self.supervisor = Supervisor(self.space.jobs, self.folder, grace=0.3, **supervisor)

    def start(self, **options: Any) -> int:
        """Queue a run of engine ``openai`` or ``scripted``; returns its id."""
        request = RunRequest(
            dataset="d",
            model="judge",
            options=EngineOptions(**options),
            engine="openai" if "endpoints" in options else "scripted",
        )
        return self.space.launcher.start(request)[0]

    def until(self, run_id: int, what: Callable[[RunRow], Any]) -> RunRow:
        """Tick until that is so of the run."""
        deadline = time.monotonic() + 90
        while not what(run := self.space.runs.get(run_id)):
            assert time.monotonic() < deadline, run
            self.supervisor.tick()
            time.sleep(0.05)
        return run

    def ended(self, run_id: int) -> RunRow:
        """The run, once it has ended and nothing of it is watched any more."""
        run = self.until(run_id, lambda run: run.status not in ("queued", "starting", "running"))
        while self.supervisor.tick():
            time.sleep(0.05)
        return run

    def done(self, run_id: int) -> int:
        return self.space.runs.prediction_count(run_id)
