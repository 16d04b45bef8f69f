"""``winnow run start`` and ``winnow run import``: the two ways to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.declared import checked
from backend.cli.engine_options import Instruction, read_instruction, watch
from backend.cli.output import Json, note, print_json, say, workspace
from backend.cli.policy import policy_options
from backend.cli.run_options import Judging, run_options
from backend.cli.run_output import as_json, summary
from backend.domain.filtering import Policy
from backend.engines.base import EngineOptions
from backend.inference.imports import import_predictions
from backend.inference.launch import RunRequest
from backend.inference.spec import RunSpec, instructions


@run_options()
def start(
    context: typer.Context,  # noqa: ARG001 - for its options
    dataset: Annotated[str, typer.Option(help="Name of a dataset")],
    model: Annotated[str, typer.Option(help="Folder or hub name of the judge")],
    judging: Judging,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the run has ended")] = False,
    json: Json = False,
) -> None:
    """Queue a run; it goes on in the background whatever becomes of this terminal."""
    request = RunRequest(dataset=dataset, model=model, **judging)
    with workspace() as space:
        run_id, resolved = space.launcher.start(request)
        space.supervise()
        note(f"engine {resolved.name}: {resolved.why}")
        run = watch(space, run_id) if wait else space.runs.get(run_id)
        if json:
            print_json(as_json(space, run))
        elif wait:
            summary(space, run)
        else:
            say(f"run {run_id} is queued; `winnow run show {run_id}` follows it")


@policy_options("agreement")
def import_run(
    context: typer.Context,  # noqa: ARG001 - for its options
    dataset: Annotated[str, typer.Option(help="Name of a dataset")],
    predictions: Annotated[Path, typer.Option(help="JSON lines of texts made elsewhere")],
    policy: Policy,
    model: Annotated[str, typer.Option(help="What made the texts")] = "imported",
    task_instruction: Instruction = None,
    use_cot: Annotated[bool, typer.Option(help="Reasoning was asked for")] = True,
    video_fps: Annotated[float, typer.Option(help="Frames a second that the judge saw")] = 2.0,
    json: Json = False,
) -> None:
    """Store texts made elsewhere as a run."""
    options = checked(EngineOptions, {"video_fps": video_fps})
    template = read_instruction(task_instruction)
    with workspace() as space:
        row = space.datasets.get(dataset)
        spec = RunSpec(
            model=model,
            engine="import",
            options=options,
            use_cot=use_cot,
            instruction=instructions(template, use_cot=use_cot),
        )
        run_id = import_predictions(space.database, row.id, spec, policy, predictions)
        run = space.runs.get(run_id)
        if json:
            print_json(as_json(space, run))
        else:
            summary(space, run)
