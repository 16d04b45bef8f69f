"""``winnow loop``: judge, filter, freeze, train, evaluate, round after round."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.loop_options import training_values
from backend.cli.output import Json, print_json, print_table, say, workspace
from backend.cli.run_options import OF_NEW_JUDGES, Judging, run_options
from backend.cli.training_options import Preset, with_preset
from backend.cli.variables import note_variables, training_variables, variables_named
from backend.domain.jobs import OPEN, JobStatus
from backend.errors import RunError, UsageError
from backend.inference.progress import run_counts
from backend.loop import Changes, LoopSpec, LoopState, Step, driver_of, run, start
from backend.loop import cancel as cancel_loop
from backend.store.loops import LoopRow
from backend.training.command import split_template
from backend.training.registry import DEFAULT, TRAINERS
from backend.workspace import Workspace

_CANCEL_S = 60.0
_RUNS = ("run", "evaluation")
_ENDS = (Step.DONE.value, Step.CANCELLED.value)

Serve = Annotated[
    str | None,
    typer.Option(
        help="Command with {model} that serves a judge to engine openai, such as "
        "'vllm serve {model}'; the loop starts it for each new judge and stops it"
    ),
]

app = typer.Typer(help="Close the loop over several rounds.", invoke_without_command=True)


# A replay says nothing of a new judge, so it is not named where a judge is trained.
_ENGINES = f"{OF_NEW_JUDGES}; one that asks servers needs --endpoint and --serve"


@app.callback()
@run_options(engines=_ENGINES, samples=4, policy="clean")
def loop(
    context: typer.Context,
    judging: Judging,
    dataset: Annotated[str | None, typer.Option(help="Dataset that is judged each round")] = None,
    model: Annotated[str | None, typer.Option(help="Judge of the first round")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    holdout: Annotated[str | None, typer.Option(help="Dataset that judges are measured on")] = None,
    serve: Serve = None,
    trainer: Annotated[str, typer.Option(help=", ".join(TRAINERS))] = DEFAULT,
    preset: Preset = None,
    train: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, such as max_epochs=1 or lora_rank=8; may be repeated")
    ] = None,
    balance: Annotated[bool, typer.Option(help="As many rows that answer first as second")] = True,
    pause_for_review: Annotated[bool, typer.Option("--pause-for-review", help="Wait before each freeze")] = False,
    output_dir: Annotated[Path | None, typer.Option(help="Folder of the trainings; default: in the workspace")] = None,
    json: Json = False,
) -> None:
    """Run a loop; `winnow loop resume` goes on with one that stopped.

    Rounds draw their samples as the options say; a judge is measured greedily.
    """
    if context.invoked_subcommand is not None:
        return
    if dataset is None or model is None or not model.strip():
        raise UsageError("a loop needs a dataset and a model", hint="--dataset NAME --model FOLDER")
    kind = TRAINERS.named(trainer)
    device = judging["options"].device
    given = training_values(train or [])
    # What stands for LightRFT's scripts reads their variables; see `winnow train start`.
    variables = training_variables() if kind.reads_script_variables else {}
    used = {f"--train {name}": one for name, one in variables.items() if name not in given}
    note_variables(used)
    read = {name: os.environ[variables[name]] for name in variables}
    values = with_preset(preset, {"device": device, **read, **given})
    with workspace() as space, variables_named(used):
        spec = LoopSpec.model_validate(
            {
                **judging,
                "dataset": dataset,
                "model": str(Path(model).resolve()) if Path(model).exists() else model,
                "rounds": rounds,
                "holdout": holdout,
                "policy": judging["policy"].to_mapping(),
                "serve": split_template(serve) if serve else (),
                "trainer": trainer,
                "training": _plain(values),
                "balance": balance,
                "pause_for_review": pause_for_review,
                "output_dir": str(output_dir.resolve()) if output_dir else None,
            }
        )
        _go_on(space, start(space, spec), json=json)


@app.command()
def resume(
    loop: int,
    train: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the trainings to come; NAME= is the default again")
    ] = None,
    balance: Annotated[bool | None, typer.Option("--balance/--no-balance", help="In the sets to come")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Folder of the trainings to come")] = None,
    serve: Serve = None,
    json: Json = False,
) -> None:
    """Go on with a loop: from where it stopped, or after its review.

    Options replace those that no step has used yet.
    """
    changes = Changes(
        training=training_values(train or [], may_unset=True),
        balance=balance,
        output_dir=str(output_dir.resolve()) if output_dir else None,
        serve=split_template(serve) if serve else None,
    )
    with workspace() as space:
        _go_on(space, loop, json=json, reviewed=True, changes=changes)


@app.command()
def cancel(loop: int) -> None:
    """Give a loop up, and verify that nothing of it is going; what it made stays."""
    with workspace() as space:
        cancel_loop(space, loop)
        deadline = time.monotonic() + _CANCEL_S
        while going := _going(space, space.loops.get(loop)):
            if time.monotonic() > deadline:
                raise RunError(
                    f"loop {loop} is cancelled, but {going} is still going",
                    hint="a training may be saving what it has; `winnow train list` tells when it ended",
                )
            time.sleep(0.2)
            space.supervise()
        say(f"loop {loop} is cancelled; what it made stays")


@app.command("list")
def list_loops(json: Json = False) -> None:
    """All loops."""
    with workspace() as space:
        rows = [as_json(space, row) for row in space.loops.list()]
    if json:
        print_json(rows)
        return
    print_table(
        ("id", "dataset", "rounds", "round", "next step", "goes on in"),
        ((r["id"], r["dataset"], r["rounds"], r["round"], r["step"], _place(r["driver"])) for r in rows),
    )


@app.command()
def show(loop: int, json: Json = False) -> None:
    """One loop: what each round made, and how good its judge is."""
    with workspace() as space:
        told = as_json(space, space.loops.get(loop))
    if json:
        print_json(told)
    else:
        _report(told)


def as_json(space: Workspace, row: LoopRow) -> dict[str, Any]:
    """A loop as every listing prints it."""
    spec, state = LoopSpec.model_validate(row.spec), LoopState.model_validate(row.state)
    driver = driver_of(space, row)
    return {
        "id": row.id,
        "dataset": spec.dataset,
        "model": spec.model,
        "holdout": spec.holdout,
        "rounds": spec.rounds,
        "round": state.round,
        "step": state.step.value,
        "driver": {"pid": driver.pid, "host": driver.host} if driver else None,
        "before": _accuracy(space, state.baseline),
        "made": [{**made, "accuracy": _accuracy(space, made.get("evaluation"))} for made in state.made],
        "created_at": row.created_at,
    }


def _go_on(
    space: Workspace, loop_id: int, *, json: bool, reviewed: bool = False, changes: Changes | None = None
) -> None:
    tell = (lambda _text: None) if json else say
    state = run(space, loop_id, say=tell, reviewed=reviewed, changes=changes)
    told = as_json(space, space.loops.get(loop_id))
    if json:
        print_json(told)
    elif state.step is Step.DONE:
        _report(told)
    elif state.step is Step.REVIEW:
        say(f"then: winnow loop resume {loop_id}")


def _accuracy(space: Workspace, run_id: int | None) -> dict[str, Any] | None:
    """Answers that agree with the human, with the 95 % interval, once the run has ended.

    Before that there is only how far it is: the share among the pairs that happen to be judged
    first is no result.
    """
    if run_id is None:
        return None
    run = space.runs.get(run_id)
    counts = run_counts(space.runs.counts(run_id), run.policy)
    told = {"run": run_id, "status": run.status, "done": counts.done, "total": counts.total}
    found = counts.accuracy
    if run.status != JobStatus.FINISHED or found is None or not found.n:
        return told
    low, high = found.interval
    return {**told, "right": found.count, "n": found.n, "low": low, "high": high}


def _going(space: Workspace, row: LoopRow) -> str | None:
    """What of a loop still runs."""
    state = LoopState.model_validate(row.state)
    for run_id in (state.baseline, *(made.get(k) for made in state.made for k in _RUNS)):
        if run_id is not None and space.runs.get(run_id).status in OPEN:
            return f"run {run_id}"
    for made in state.made:
        if "training" in made and space.trainings.get(made["training"]).status in OPEN:
            return f"training {made['training']}"
    return None


def _place(driver: dict[str, Any] | None) -> str:
    return f"process {driver['pid']} on {driver['host']}" if driver else "-"


def _report(told: dict[str, Any]) -> None:
    say(
        f"loop {told['id']} · {told['dataset']} · round {told['round']} of {told['rounds']}, "
        f"{told['step'] if told['step'] in _ENDS else 'next: ' + told['step']}"
    )
    if told["driver"]:
        say(f"goes on in {_place(told['driver'])}")
    lines = [("before", told["before"])]
    for number, made in enumerate(told["made"], start=1):
        lines.append((f"round {number}", made["accuracy"]))
    for name, found in lines:
        if found and "n" in found:
            say(
                f"{name}: {found['right']}/{found['n']} right on {told['holdout']} = "
                f"{found['right'] / found['n']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
            )
        elif found and found["status"] != JobStatus.FINISHED:
            say(
                f"{name}: run {found['run']} on {told['holdout']} is {found['status']}, "
                f"{found['done']} of {found['total']} judged, no result yet"
            )
    for number, made in enumerate(told["made"], start=1):
        parts = [f"{key} {made[key]}" for key in ("run", "set", "training") if key in made]
        say(f"round {number}: {', '.join(parts)}")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.model_dump(mode="json") if hasattr(value, "model_dump") else value for name, value in values.items()
    }
