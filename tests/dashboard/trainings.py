"""Trainings as the pages find them, and what is read off the page of one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from backend.demo.judge import shipped_judge
from backend.hints import Hint, to_text
from backend.store.schema import jobs
from backend.training.base import Metric
from backend.training.folder import FINAL, METRICS, claim, owner_of
from backend.training.local.checkpoints import STATE
from backend.workspace import Workspace

if TYPE_CHECKING:
    from tests.dashboard.conftest import Open

Trained = Callable[..., int]


def make_training(space: Workspace, status: str = "finished", *, steps: int = 12, **values: Any) -> int:
    """A training on the set ``mixed`` that ended so, with two checkpoints; its id."""
    values = {"model": str(shipped_judge()), "device": "cpu", **values}
    name = f"out-{len(space.trainings.list())}"
    spec = space.training_launcher.spec(["mixed"], trainer="local", output_dir=str(space.folder / name), **values)
    training = space.training_launcher.start(spec)
    folder = Path(spec.output_dir)
    claim(folder, owner_of(space.folder, training), spec)
    metrics = [
        Metric(step=n, loss=3 / n, learning_rate=1e-4, samples_per_s=5.0, time=float(n)) for n in range(1, steps + 1)
    ]
    lines = [{k: getattr(m, k) for k in Metric.__dataclass_fields__} for m in metrics]
    (folder / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    for place in ("checkpoints/step-000006", FINAL):
        shutil.copytree(shipped_judge(), folder / place)
        sizes = {"config.json": (folder / place / "config.json").stat().st_size}
        (folder / place / STATE).write_text(json.dumps({"step": 6, "files": sizes}))
    space.trainings.set_progress(training, {"stage": "training", "step": steps, "steps": 12, "loss": 3 / steps})
    ended(space, training, status)
    return training


def ended(space: Workspace, training: int, status: str) -> None:
    job = space.trainings.get(training).job_id
    hint = to_text(Hint("lower {actor_learning_rate}, then {RESUME_TRAINING}", on=training))
    error, hint = ("the loss is not a number at step 9", hint) if status == "failed" else (None, None)
    with space.database.write() as connection:
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job)
            .values(status=status, error=error, hint=hint, started_at=1.0, finished_at=61.0)
        )


def fine(test: AppTest) -> bool:
    return not test.exception and not test.error


def words(test: AppTest) -> str:
    parts = [*test.markdown, *test.caption, *test.subheader, *test.error, *test.code]
    return "\n".join(str(one.value) for one in parts).replace("\\", "")


def checked(test: AppTest) -> AppTest:
    """The page once its preflight, which goes on in the background, has been done."""
    deadline = time.monotonic() + 60
    while "Start is possible once everything" in words(test) and time.monotonic() < deadline:
        time.sleep(0.2)
        test.run()
    return test


def form(open_page: Open, **query: str) -> AppTest:
    return checked(open_page("training", **({"new": "1", "set": "mixed"} | query)))


def with_model(test: AppTest) -> AppTest:
    test.selectbox(key="training_model").set_value(str(shipped_judge()))
    return checked(test.run())
