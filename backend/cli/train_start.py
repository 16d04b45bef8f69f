"""``winnow train start``: queue a training, or look at what would be started."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.declared import parameters_of, taking
from backend.cli.hints import in_command, with_hint
from backend.cli.output import Json, note, print_json, say, workspace
from backend.cli.train_output import as_json, print_nodes, summary, watch_training
from backend.cli.training_options import Command, Lora, Preset, lora_values, note_checks, with_preset
from backend.cli.variables import (
    OF_DATA,
    OF_TRAINING,
    checked_trainer,
    note_variables,
    variables_named,
    variables_used,
    with_variables,
)
from backend.domain.preflight import Check, Level
from backend.errors import TrainingError
from backend.export.exporter import set_of_file
from backend.training.command import split_template
from backend.training.registry import DEFAULT, TRAINERS
from backend.training.spec import LoraSpec, TrainingSpec
from backend.workspace import Workspace

_ADAPTERS = parameters_of(LoraSpec, prefix="lora_", unset=True)
_OPTIONS = (*parameters_of(TrainingSpec, unset=True), *_ADAPTERS)

TrainingFile = Annotated[Path | None, typer.Option(help="In place of --set: the training file of its export")]


@with_variables(OF_TRAINING | OF_DATA)
@taking("hyper", _OPTIONS, lambda _context, given: given)
def start(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="Folder or hub name of the judge to start from")],
    output_dir: Annotated[str, typer.Option(help="Folder that the training makes and fills")],
    hyper: dict[str, Any],
    set: Annotated[list[str] | None, typer.Option(help="A frozen set, NAME or NAME@2; may be repeated")] = None,
    training_data_path: TrainingFile = None,
    t2i_training_data_path: TrainingFile = None,
    t2v_training_data_path: TrainingFile = None,
    trainer: Annotated[str, typer.Option(help=", ".join(TRAINERS), is_eager=True, callback=checked_trainer)] = DEFAULT,
    preset: Preset = None,
    lora: Lora = None,
    command: Command = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, print the command, start nothing")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended")] = False,
    json: Json = False,
) -> None:
    """Queue a training; it goes on in the background whatever becomes of this terminal.

    With --trainer lightrft, and with no other, options that are not given are read from the variables
    of LightRFT's scripts.
    """
    used = variables_used(context)
    files = {
        "--training-data-path": training_data_path,
        "--t2i-training-data-path": t2i_training_data_path,
        "--t2v-training-data-path": t2v_training_data_path,
    }
    # A set that is named wins over a file of the environment.
    unread = [option for option in files if set and option in used]
    note_variables(used, unread)
    adapters = {one.name: hyper.pop(one.name) for one in _ADAPTERS}
    values = {
        **hyper,
        "model": model,
        "output_dir": output_dir,
        "trainer": trainer,
        "lora": lora_values(lora, adapters),
        "command": split_template(command) if command else None,
    }
    with workspace() as space:
        exported = [file for option, file in files.items() if file and option not in unread]
        rows = [set_of_file(space.database, file) for file in exported]
        sets = [*(set or ()), *(f"{row.name}@{row.version}" for row in rows)]
        with variables_named(used):
            spec = space.training_launcher.spec(sets, **with_preset(preset, values))
        if dry_run:
            _dry_run(space, spec, json)
            return
        training = space.training_launcher.start(spec, on_warning=_warn)
        space.supervise()
        row = watch_training(space, training) if wait else space.trainings.get(training)
        if json:
            print_json(as_json(row))
        elif wait:
            summary(space, training)
        else:
            say(f"training {training} is queued; `winnow train show {training}` follows it")


def _dry_run(space: Workspace, spec: TrainingSpec, json: bool) -> None:
    checks = space.training_launcher.preflight(spec, thorough=True)
    try:
        plan = space.training_launcher.plan(spec)
        lines = plan.node_lines
    except TrainingError:
        # The checks have said why; there is no command to show.
        plan, lines = None, ()
    if json:
        print_json(
            {
                "checks": [
                    {"name": c.name, "level": c.level, "message": c.message, "hint": in_command(c.hint) or None}
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
    note(with_hint(f"warn {check.name}: {check.message}", check.hint))
