"""``winnow loop``: judge, filter, freeze, train, evaluate, round after round."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli.engine_options import engine_options
from backend.cli.output import Json, print_json, print_table, say, workspace
from backend.cli.run_start import read_policy
from backend.cli.training_options import Preset, with_preset
from backend.domain.pairs import OrderPolicy
from backend.errors import UsageError
from backend.inference.progress import run_counts
from backend.loop import LoopSpec, LoopState, Step, run, start
from backend.store.loops import LoopRow, Loops
from backend.workspace import Workspace

app = typer.Typer(help="Close the loop over several rounds.", invoke_without_command=True)


@app.callback()
def loop(
    context: typer.Context,
    dataset: Annotated[str | None, typer.Option(help="Dataset that is judged each round")] = None,
    model: Annotated[str | None, typer.Option(help="Judge of the first round")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    holdout: Annotated[str | None, typer.Option(help="Dataset that judges are measured on")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Completions for each shown pair")] = 4,
    temperature: Annotated[
        float, typer.Option(min=0, help="Of a round; measuring is greedy")
    ] = 0.7,
    policy: Annotated[str, typer.Option(help="Filter policy, as of `winnow run start`")] = "clean",
    order: OrderPolicy | None = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge only the first pairs")] = None,
    seed: int = 0,
    engine: str = "auto",
    batch_size: Annotated[int, typer.Option(help="Requests in flight")] = 8,
    max_new_tokens: int = 2048,
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda:0,1")] = "auto",
    trainer: Annotated[str, typer.Option(help="local, lightrft or command")] = "local",
    preset: Preset = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="A hyperparameter as NAME=VALUE, such as max_epochs=1; may be repeated"),
    ] = None,
    balance: Annotated[bool, typer.Option(help="As many rows that answer first as second")] = True,
    pause_for_review: Annotated[
        bool, typer.Option("--pause-for-review", help="Wait before each freeze")
    ] = False,
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder of the trainings; default: in the workspace")
    ] = None,
    json: Json = False,
) -> None:
    """Run a loop; `winnow loop resume` goes on with one that stopped."""
    if context.invoked_subcommand is not None:
        return
    if dataset is None or model is None:
        raise UsageError("a loop needs a dataset and a model", hint="--dataset NAME --model FOLDER")
    if trainer not in ("local", "lightrft", "command"):
        raise UsageError(f"unknown trainer {trainer!r}", hint="local, lightrft or command")
    options = engine_options(
        batch_size=batch_size, max_new_tokens=max_new_tokens, temperature=temperature, device=device
    )
    values = with_preset(preset, {"device": device, **_values(train or [])})
    with workspace() as space:
        spec = LoopSpec.model_validate(
            {
                "dataset": dataset,
                "model": str(Path(model).resolve()) if Path(model).exists() else model,
                "rounds": rounds,
                "holdout": holdout,
                "engine": engine,
                "order": order,
                "samples": samples,
                "seed": seed,
                "limit": limit,
                "policy": read_policy(policy).to_mapping(),
                "options": options,
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
    json: Json = False,
) -> None:
    """Go on with a loop: from where it stopped, or after its review."""
    with workspace() as space:
        _go_on(space, loop, json=json, reviewed=True)


@app.command("list")
def list_loops(json: Json = False) -> None:
    """All loops."""
    with workspace() as space:
        rows = [as_json(space, row) for row in Loops(space.database).list()]
    if json:
        print_json(rows)
        return
    print_table(
        ("id", "dataset", "rounds", "round", "next step"),
        ((r["id"], r["dataset"], r["rounds"], r["round"], r["step"]) for r in rows),
    )


@app.command()
def show(loop: int, json: Json = False) -> None:
    """One loop: what each round made, and how good its judge is."""
    with workspace() as space:
        told = as_json(space, Loops(space.database).get(loop))
    if json:
        print_json(told)
    else:
        _report(told)


def as_json(space: Workspace, row: LoopRow) -> dict[str, Any]:
    """A loop as every listing prints it."""
    spec, state = LoopSpec.model_validate(row.spec), LoopState.model_validate(row.state)
    return {
        "id": row.id,
        "dataset": spec.dataset,
        "model": spec.model,
        "holdout": spec.holdout,
        "rounds": spec.rounds,
        "round": state.round,
        "step": state.step.value,
        "before": _accuracy(space, state.baseline),
        "made": [
            {**made, "accuracy": _accuracy(space, made.get("evaluation"))} for made in state.made
        ],
        "created_at": row.created_at,
    }


def _go_on(space: Workspace, loop_id: int, *, json: bool, reviewed: bool = False) -> None:
    state = run(space, loop_id, say=(lambda _text: None) if json else say, reviewed=reviewed)
    told = as_json(space, Loops(space.database).get(loop_id))
    if json:
        print_json(told)
    elif state.step is Step.DONE:
        _report(told)


def _accuracy(space: Workspace, run_id: int | None) -> dict[str, Any] | None:
    """Answers that agree with the human, with the 95 % interval."""
    if run_id is None:
        return None
    run = space.runs.get(run_id)
    found = run_counts(space.runs.counts(run_id), run.policy).accuracy
    if found is None or not found.n:
        return {"run": run_id}
    low, high = found.interval
    return {"run": run_id, "right": found.count, "n": found.n, "low": low, "high": high}


def _report(told: dict[str, Any]) -> None:
    say(f"loop {told['id']} · {told['dataset']} · round {told['round']} of {told['rounds']}, "
        f"{'done' if told['step'] == 'done' else 'next: ' + told['step']}")  # fmt: skip
    lines = [("before", told["before"])]
    for number, made in enumerate(told["made"], start=1):
        lines.append((f"round {number}", made["accuracy"]))
    for name, found in lines:
        if found and "n" in found:
            say(
                f"{name}: {found['right']}/{found['n']} right on {told['holdout']} = "
                f"{found['right'] / found['n']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
            )
    for number, made in enumerate(told["made"], start=1):
        parts = [f"{key} {made[key]}" for key in ("run", "set", "training") if key in made]
        say(f"round {number}: {', '.join(parts)}")


def _values(given: list[str]) -> dict[str, Any]:
    values = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--train {word}: NAME=VALUE is wanted", hint="--train max_epochs=1")
        values[name.strip().replace("-", "_")] = value
    return values


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        for name, value in values.items()
    }
