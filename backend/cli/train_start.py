"""``winnow train start``: queue a training, or look at what would be started."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.cli.output import Json, note, print_json, say, workspace
from backend.cli.train_output import as_json, print_nodes, summary, watch_training
from backend.cli.training_options import (
    Command,
    DataFormat,
    Lora,
    Preset,
    lora_values,
    note_checks,
    with_preset,
)
from backend.domain.preflight import Check, Level
from backend.errors import TrainingError
from backend.training.command import split_template
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace


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
        row = watch_training(space, training) if wait else space.trainings.get(training)
        if json:
            print_json(as_json(row))
        elif wait:
            summary(space, training)
        else:
            say(f"training {training} is queued; `winnow train show {training}` follows it")


def _dry_run(space: Workspace, spec: TrainingSpec, json: bool) -> None:
    checks = space.trainer.preflight(spec, thorough=True)
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
        print_nodes(lines)
    if any(check.level is Level.FAIL for check in checks):
        raise typer.Exit(1)


def _warn(check: Check) -> None:
    note(f"warn {check.name}: {check.message}{f' ({check.hint})' if check.hint else ''}")
