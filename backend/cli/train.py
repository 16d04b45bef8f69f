"""``winnow train``: start, list, show, log, stop, resume, clear, evaluate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.engine_options import watch
from backend.cli.logs import Follow, print_log
from backend.cli.output import Json, note, print_json, print_table, say, workspace
from backend.cli.training_options import (
    Command,
    DataFormat,
    Lora,
    Preset,
    lora_values,
    note_checks,
    with_preset,
)
from backend.domain.jobs import OPEN, JobStatus
from backend.domain.pairs import OrderPolicy
from backend.domain.preflight import Check, Level
from backend.engines.base import EngineOptions
from backend.errors import TrainingError
from backend.jobs.marks import mark_of
from backend.jobs.processes import stop_marked
from backend.jobs.supervisor import LONGEST_END_S
from backend.store.trainings import TrainingRow
from backend.training.command import split_template
from backend.training.launch import spec_of
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace

app = typer.Typer(help="Fine-tune a judge on frozen sets.", no_args_is_help=True)


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
        "hint": row.hint,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


@app.command()
def start(
    set: Annotated[list[str], typer.Option(help="A frozen set, NAME or NAME@2; may be repeated")],
    model: Annotated[str, typer.Option(help="Folder or hub name of the judge to start from")],
    output_dir: Annotated[str, typer.Option(help="Folder that the training makes and fills")],
    trainer: Annotated[str, typer.Option(help="local, lightrft or command")] = "local",
    preset: Preset = None,
    actor_learning_rate: Annotated[
        float | None, typer.Option("--actor-learning-rate", "--learning-rate", help="Peak")
    ] = None,
    max_epochs: Annotated[
        int | None, typer.Option("--max-epochs", "--num-train-epochs", help="Passes over the rows")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Optimizer steps at most; lightrft has no such limit")
    ] = None,
    train_batch_size: Annotated[
        int | None, typer.Option(help="Rows of an optimizer step, over all devices")
    ] = None,
    micro_train_batch_size: Annotated[
        int | None, typer.Option(help="Rows a device holds at once")
    ] = None,
    lr_warmup_ratio: float | None = None,
    l2: Annotated[float | None, typer.Option(help="Weight decay")] = None,
    max_norm: Annotated[
        float | None, typer.Option(help="Gradients are clipped to it; lightrft clips to 1")
    ] = None,
    prompt_max_len: Annotated[
        int | None,
        typer.Option(
            "--prompt-max-len",
            "--max-length",
            help="Tokens of a row at most; longer ones are left out, but lightrft trains on all",
        ),
    ] = None,
    max_pixels: Annotated[int | None, typer.Option(help="Of an image or a frame")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second given to the judge")] = None,
    seed: int | None = None,
    bf16: Annotated[str | None, typer.Option(help="auto, yes or no")] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option("--gradient-checkpointing/--no-gradient-checkpointing")
    ] = None,
    flash_attn: Annotated[bool | None, typer.Option("--flash-attn/--no-flash-attn")] = None,
    lora: Lora = None,
    lora_rank: Annotated[int | None, typer.Option(help="Implies --lora")] = None,
    lora_alpha: int | None = None,
    lora_dropout: float | None = None,
    lora_target_modules: Annotated[
        list[str] | None, typer.Option(help="Last part of a module's name; may be repeated")
    ] = None,
    validation: Annotated[float | None, typer.Option(help="Share of pairs held out")] = None,
    save_steps: Annotated[int | None, typer.Option(help="Steps between checkpoints")] = None,
    max_ckpt_num: Annotated[int | None, typer.Option(help="Checkpoints that are kept")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, or cuda:0,1")] = None,
    zero_stage: Annotated[int | None, typer.Option(help="DeepSpeed's, for lightrft")] = None,
    gpus_per_node: Annotated[int | None, typer.Option(help="Processes, one a device")] = None,
    nnodes: int | None = None,
    node_rank: int | None = None,
    master_addr: str | None = None,
    master_port: int | None = None,
    task_instruction: Annotated[
        str | None, typer.Option(help="What later runs ask with, to be compared")
    ] = None,
    command: Command = None,
    data_format: DataFormat = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, print the command, start nothing")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended")] = False,
    json: Json = False,
) -> None:
    """Queue a training; it goes on in the background whatever becomes of this terminal."""
    values = {
        name: value
        for name, value in locals().items()
        if name in TrainingSpec.model_fields and name not in ("lora", "command")
    }
    values["lora"] = lora_values(lora, lora_rank, lora_alpha, lora_dropout, lora_target_modules)
    values["command"] = split_template(command) if command else None
    with workspace() as space:
        spec = space.trainer.spec(set, **with_preset(preset, values))
        if dry_run:
            _dry_run(space, spec, json)
            return
        training = space.trainer.start(spec, on_warning=_warn)
        space.supervise()
        row = _watch(space, training) if wait else space.trainings.get(training)
        if json:
            print_json(as_json(row))
        elif wait:
            _summary(space, training)
        else:
            say(f"training {training} is queued; `winnow train show {training}` follows it")


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
                _step(row["progress"]),
                _number(row["progress"].get("loss")),
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
            _summary(space, training)
            return
        view = space.trainer.view(training)
        lines = _node_lines(space, view.row)
    print_json(
        {
            **as_json(view.row),
            "spec": view.row.spec,
            "metrics": [
                {name: getattr(metric, name) for name in metric.__dataclass_fields__}
                for metric in view.metrics
            ],
            "checkpoints": [
                {"path": str(c.path), "step": c.step, "final": c.final, "judge": c.judge}
                for c in view.checkpoints
            ],
            "evaluations": [
                {"run": e.run_id, "dataset": e.dataset, "checkpoint": e.checkpoint}
                for e in view.evaluations
            ],
            "node_lines": lines,
        }
    )


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
        space.trainer.stop(training)
        space.supervise()
        deadline = time.monotonic() + LONGEST_END_S + 30
        told = False
        while (row := space.trainings.get(training)).status in OPEN:
            if not told and row.progress.get("stage") == "stopping":
                say("saving, then it stops")
                told = True
            if time.monotonic() > deadline:
                raise TrainingError(
                    f"training {training} is still {row.status}",
                    hint=f"`winnow train log {training}`",
                )
            time.sleep(0.2)
            space.supervise()
        # Its process says that it has ended, and then still has to end.
        if not stop_marked(mark_of(space.folder, row.job_id), grace=30):
            raise TrainingError(
                f"training {training} is {row.status}, but a process of it is still there",
                hint=f"`winnow train log {training}` may tell why",
            )
        say(
            f"training {training} is {row.status}; "
            + (row.hint or f"`winnow train resume {training}` goes on with it")
        )


@app.command()
def resume(
    training: int,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended")] = False,
) -> None:
    """Go on from the newest whole checkpoint."""
    with workspace() as space:
        space.trainer.resume(training)
        space.supervise()
        if wait:
            _watch(space, training)
            _summary(space, training)
        else:
            say(f"training {training} is queued again")


@app.command()
def clear(training: int) -> None:
    """Delete the output folder of a training that has ended; its row stays."""
    with workspace() as space:
        folder = space.trainings.get(training).output_dir
        space.trainer.clear(training)
        say(f"{folder} is deleted and can be used again")


@app.command()
def evaluate(
    training: int,
    dataset: Annotated[str, typer.Option(help="Name of a dataset, a held-out one at best")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of one; default: the final, else the newest")
    ] = None,
    engine: str = "auto",
    order: OrderPolicy | None = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge only the first pairs")] = None,
    batch_size: int = 8,
    max_new_tokens: int = 2048,
    device: str = "auto",
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the run has ended")] = False,
    json: Json = False,
) -> None:
    """Judge a dataset with a checkpoint, asking what it was trained on."""
    with workspace() as space:
        spec = space.trainer.view(training).spec
        options = EngineOptions(
            batch_size=batch_size, max_new_tokens=max_new_tokens, device=device, video_fps=spec.fps
        )
        run_id = space.evaluate(
            training, dataset, checkpoint=checkpoint, engine=engine, options=options, order=order,
            limit=limit,
        )  # fmt: skip
        space.supervise()
        if wait:
            watch(space, run_id)
        if json:
            print_json({"run": run_id, "training": training, "dataset": dataset})
        else:
            say(f"run {run_id} judges {dataset}; `winnow run show {run_id}` follows it")


def _watch(space: Workspace, training: int) -> TrainingRow:
    """Stay until a training has ended.

    Raises:
        TrainingError: It ended in any state but ``finished``.
    """
    lines: list[str] = []
    while (row := space.trainings.get(training)).status in OPEN:
        if not lines:
            # It waits for the other nodes, and so would we if nobody started them.
            lines = _node_lines(space, row)
            _print_nodes(lines, note)
        time.sleep(0.3)
        space.supervise()
    if row.status != JobStatus.FINISHED:
        raise TrainingError(
            f"training {training} {row.status}{': ' + row.error if row.error else ''}",
            hint=row.hint or f"`winnow train log {training}` says why",
        )
    return row


def _dry_run(space: Workspace, spec: TrainingSpec, json: bool) -> None:
    checks = space.trainer.preflight(spec)
    try:
        plan = space.trainer.plan(spec)
        lines = plan.node_lines
    except TrainingError:
        # The checks have said why; there is no command to show.
        plan, lines = None, ()
    if json:
        print_json(
            {
                "checks": [
                    {"name": c.name, "level": c.level, "message": c.message, "hint": c.hint}
                    for c in checks
                ],
                "command": list(plan.command.argv) if plan else None,
                "env": dict(plan.command.env) if plan else {},
                "node_lines": list(lines),
                "spec": spec.model_dump(mode="json"),
            }
        )
    else:
        note_checks(checks)
        _print_nodes(lines)
    if any(check.level is Level.FAIL for check in checks):
        raise typer.Exit(1)


def _warn(check: Check) -> None:
    note(f"warn {check.name}: {check.message}{f' ({check.hint})' if check.hint else ''}")


def _node_lines(space: Workspace, row: TrainingRow) -> list[str]:
    """What to start on each of several nodes while a training goes on, from the rows as they were
    written; none before that."""
    several = row.spec.get("nnodes", 1) > 1
    if not several or row.status not in OPEN or row.progress.get("stage") != "training":
        return []
    return list(space.trainer.plan(spec_of(row)).node_lines)


def _print_nodes(lines: Sequence[str], say: Callable[[str], None] = say) -> None:
    for rank, line in enumerate(lines):
        say(f"node {rank}: {line}" if len(lines) > 1 else line)


def _summary(space: Workspace, training: int) -> None:
    view = space.trainer.view(training)
    row, progress = view.row, view.row.progress
    sets = ", ".join(f"{ref['name']}@{ref['version']}" for ref in row.sets)
    say(f"training {row.id} · {sets} · {row.trainer} · {row.status}")
    if row.error:
        say(f"{row.error}{' (' + row.hint + ')' if row.hint else ''}")
    if progress.get("step"):
        left = progress.get("eta_s")
        ends = f", {left:.0f} s left" if left is not None and row.status in OPEN else ""
        say(f"step {_step(progress)}, loss {_number(progress.get('loss'))}{ends}")
    if progress.get("validation_loss") is not None:
        say(f"validation loss {_number(progress['validation_loss'])}")
    for checkpoint in view.checkpoints:
        name = "final" if checkpoint.final else f"step {checkpoint.step}"
        say(f"{name}: {checkpoint.path}{'' if checkpoint.judge else ' (shards, to resume from)'}")
    for evaluation in view.evaluations:
        say(f"run {evaluation.run_id} judges {evaluation.dataset} with {evaluation.checkpoint}")
    _print_nodes(_node_lines(space, row))


def _step(progress: dict[str, Any]) -> str:
    return f"{progress['step']}/{progress['steps']}" if "step" in progress else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
