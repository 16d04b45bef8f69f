"""``winnow train``: start, list, show, log, stop, resume, clear, evaluate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.engine_options import watch
from backend.cli.hints import in_command
from backend.cli.logs import Follow, print_log
from backend.cli.output import Json, print_json, print_table, say, workspace
from backend.cli.run_options import OF_NEW_JUDGES, Judging, run_options
from backend.cli.train_output import as_json, loss_text, node_lines, step_text, summary, view_json, watch_training
from backend.cli.train_start import start
from backend.domain.jobs import OPEN
from backend.errors import TrainingError
from backend.jobs.marks import mark_of
from backend.jobs.processes import stop_marked
from backend.jobs.supervisor import LONGEST_END_S

app = typer.Typer(help="Fine-tune a judge on frozen sets.", no_args_is_help=True)
app.command("start")(start)


@app.command("list")
def list_trainings(json: Json = False) -> None:
    """All trainings."""
    with workspace() as space:
        rows = [as_json(row) for row in space.trainings.list()]
    if json:
        print_json(rows)
        return
    print_table(
        ("id", "trainer", "sets", "status", "step", "loss", "output"),
        (
            (
                row["id"],
                row["trainer"],
                ", ".join(row["sets"]),
                row["status"],
                step_text(row["progress"]),
                loss_text(row["progress"].get("loss")),
                row["output_dir"],
            )
            for row in rows
        ),
    )


@app.command()
def show(training: int, json: Json = False) -> None:
    """One training, live: progress, checkpoints and their evaluations."""
    with workspace() as space:
        space.supervise()
        if not json:
            summary(space, training)
            return
        view = space.training_launcher.view(training)
        lines = node_lines(space, view.row)
    print_json(view_json(view, lines))


@app.command()
def log(training: int, follow: Follow = False) -> None:
    """The log of a training's process."""
    with workspace() as space:
        print_log(
            Path(space.trainings.get(training).log_path),
            lambda: space.trainings.get(training).status in OPEN,
            follow=follow,
        )


@app.command()
def stop(training: int) -> None:
    """Stop a training and verify that nothing of it is left on the device."""
    with workspace() as space:
        space.training_launcher.stop(training)
        space.supervise()
        deadline = time.monotonic() + LONGEST_END_S + 30
        told = False
        while (row := space.trainings.get(training)).status in OPEN:
            if not told and row.progress.get("stage") == "stopping":
                say("saving, then it stops")
                told = True
            if time.monotonic() > deadline:
                raise TrainingError(f"training {training} is still {row.status}", hint=f"`winnow train log {training}`")
            time.sleep(0.2)
            space.supervise()
        # Its process says that it has ended, and then still has to end.
        if not stop_marked(mark_of(space.folder, row.job_id), grace=30):
            raise TrainingError(
                f"training {training} is {row.status}, but a process of it is still there",
                hint=f"`winnow train log {training}` may tell why",
            )
        then = in_command(row.hint) or f"`winnow train resume {training}` goes on with it"
        say(f"training {training} is {row.status}; {then}")


@app.command()
def resume(
    training: int, wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended")] = False
) -> None:
    """Go on from the newest whole checkpoint."""
    with workspace() as space:
        space.training_launcher.resume(training)
        space.supervise()
        if wait:
            watch_training(space, training)
            summary(space, training)
        else:
            say(f"training {training} is queued again")


@app.command()
def clear(training: int) -> None:
    """Delete the output folder of a training that has ended; its row stays."""
    with workspace() as space:
        folder = space.trainings.get(training).output_dir
        space.training_launcher.clear(training)
        say(f"{folder} is deleted and can be used again")


@app.command()
@run_options(
    without=frozenset({"samples", "seed", "policy", "task_instruction", "use_cot"}),
    engines=f"{OF_NEW_JUDGES}; one that asks servers needs an --endpoint that serves the checkpoint",
    # Without them, what the training showed.
    video_fps=None,
    max_pixels=None,
)
def evaluate(
    context: typer.Context,  # noqa: ARG001 - for its options
    training: int,
    dataset: Annotated[str, typer.Option(help="Name of a dataset, a held-out one at best")],
    judging: Judging,
    checkpoint: Annotated[Path | None, typer.Option(help="Folder of one; default: the final, else the newest")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the run has ended")] = False,
    json: Json = False,
) -> None:
    """Judge a dataset with a checkpoint, asking and showing what it was trained on."""
    with workspace() as space:
        spec, given = space.training_launcher.view(training).spec, judging["options"]
        as_trained = {"video_fps": spec.fps, "max_pixels": spec.max_pixels}
        unsaid = {k: v for k, v in as_trained.items() if k not in given.model_fields_set}
        run_id = space.evaluate(
            training,
            dataset,
            checkpoint=checkpoint,
            engine=judging["engine"],
            options=given.model_copy(update=unsaid),
            order=judging["order"],
            limit=judging["limit"],
        )
        space.supervise()
        if wait:
            watch(space, run_id)
        if json:
            print_json({"run": run_id, "training": training, "dataset": dataset})
        else:
            say(f"run {run_id} judges {dataset}; `winnow run show {run_id}` follows it")
