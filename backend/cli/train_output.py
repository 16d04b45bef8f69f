"""What commands print of trainings, and watching one until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from backend.cli.hints import in_command, with_hint
from backend.cli.output import note, say
from backend.domain.jobs import OPEN, JobStatus
from backend.errors import TrainingError
from backend.store.trainings import TrainingRow
from backend.training.view import View, spec_of
from backend.workspace import Workspace


def as_json(row: TrainingRow) -> dict[str, Any]:
    """A training as every listing prints it."""
    return {
        "id": row.id,
        "trainer": row.trainer,
        "model": row.model,
        "output_dir": row.output_dir,
        "sets": [f"{ref['name']}@{ref['version']}" for ref in row.sets],
        "status": row.status,
        "progress": row.progress,
        "error": row.error,
        "hint": in_command(row.hint) or None,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "took_s": row.took_s,
    }


def view_json(view: View, lines: Sequence[str]) -> dict[str, Any]:
    """A training as ``winnow train show --json`` prints it.

    Args:
        lines: To be started on each of several nodes.
    """
    return {
        **as_json(view.row),
        "spec": view.row.spec,
        "metrics": [{name: getattr(metric, name) for name in metric.__dataclass_fields__} for metric in view.metrics],
        "checkpoints": [
            {"path": str(c.path), "step": c.step, "final": c.final, "judge": c.judge} for c in view.checkpoints
        ],
        "evaluations": [{"run": e.run_id, "dataset": e.dataset, "checkpoint": e.checkpoint} for e in view.evaluations],
        "node_lines": list(lines),
    }


def summary(space: Workspace, training: int) -> None:
    """A training in a few lines for a person."""
    view = space.training_launcher.view(training)
    row, progress = view.row, view.row.progress
    sets = ", ".join(f"{ref['name']}@{ref['version']}" for ref in row.sets)
    say(f"training {row.id} · {sets} · {row.trainer} · {row.status}")
    if row.error:
        say(with_hint(row.error, row.hint))
    if progress.get("step"):
        left = progress.get("eta_s")
        ends = f", {left:.0f} s left" if left is not None and row.status in OPEN else ""
        say(f"step {step_text(progress)}, loss {loss_text(progress.get('loss'))}{ends}")
    if progress.get("validation_loss") is not None:
        say(f"validation loss {loss_text(progress['validation_loss'])}")
    if view.warning:
        say(f"warning: {view.warning}")
    for checkpoint in view.checkpoints:
        name = "final" if checkpoint.final else f"step {checkpoint.step}"
        say(f"{name}: {checkpoint.path}{'' if checkpoint.judge else ' (shards, to resume from)'}")
    for evaluation in view.evaluations:
        say(f"run {evaluation.run_id} judges {evaluation.dataset} with {evaluation.checkpoint}")
    print_nodes(node_lines(space, row))


def watch_training(space: Workspace, training: int) -> TrainingRow:
    """Stay until a training has ended.

    Raises:
        TrainingError: It ended in any state but ``finished``.
    """
    lines: list[str] = []
    wait = space.patience
    while (row := wait.call(lambda: space.trainings.get(training))).status in OPEN:
        if not lines:
            # It waits for the other nodes, and so would we if nobody started them.
            lines = node_lines(space, row)
            print_nodes(lines, note)
        time.sleep(0.3)
        space.supervise()
    if row.status != JobStatus.FINISHED:
        raise TrainingError(
            f"training {training} {row.status}{': ' + row.error if row.error else ''}",
            hint=row.hint or f"`winnow train log {training}` says why",
        )
    return row


def node_lines(space: Workspace, row: TrainingRow) -> list[str]:
    """What to start on each of several nodes while a training goes on, from the rows as they were
    written; none before that."""
    several = row.spec.get("nnodes", 1) > 1
    if not several or row.status not in OPEN or row.progress.get("stage") != "training":
        return []
    return list(space.training_launcher.plan(spec_of(row)).node_lines)


def print_nodes(lines: Sequence[str], say: Callable[[str], None] = say) -> None:
    """The line of each node, which is named where there are several."""
    for rank, line in enumerate(lines):
        say(f"node {rank}: {line}" if len(lines) > 1 else line)


def step_text(progress: dict[str, Any]) -> str:
    """How far it is, in steps."""
    return f"{progress['step']}/{progress['steps']}" if "step" in progress else "-"


def loss_text(value: float | None) -> str:
    """A loss in four decimals."""
    return "-" if value is None else f"{value:.4f}"
