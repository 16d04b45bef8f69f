"""``winnow run``: start, import, list, show, log, cancel, resume, filter, reparse, predictions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.engine_options import watch
from backend.cli.hints import in_command
from backend.cli.logs import Follow, print_log
from backend.cli.output import Json, print_json, print_lines, print_table, say, workspace
from backend.cli.policy import policy_options
from backend.cli.run_output import as_json, prediction_json, summary
from backend.cli.run_reparse import reparse
from backend.cli.run_start import import_run, start
from backend.domain.filtering import Policy
from backend.domain.jobs import OPEN
from backend.domain.reading import explain as read_steps
from backend.domain.rules.registry import reasons
from backend.errors import RunError, UsageError
from backend.foreign_text import quoted

app = typer.Typer(help="Judge a dataset in the background.", no_args_is_help=True)
app.command("start")(start)
app.command("import")(import_run)
app.command("reparse")(reparse)


@app.command("list")
def list_runs(json: Json = False) -> None:
    """All runs."""
    with workspace() as space:
        rows = [as_json(space, run) for run in space.runs.list()]
    if json:
        print_json(rows)
        return
    print_table(
        ("id", "dataset", "model", "engine", "status", "done", "accepted", "failed"),
        (
            (
                row["id"],
                row["dataset"],
                row["model"],
                row["engine"],
                f"{row['status']}{' *' if row['read_by_older'] else ''}",
                f"{row['counts']['done']}/{row['counts']['total']}",
                row["counts"]["accepted"],
                row["counts"]["failed"],
            )
            for row in rows
        ),
    )
    if any(row["read_by_older"] for row in rows):
        say("* read by an older Winnow: `winnow run reparse --all` says what reading them again changes")


@app.command()
def show(run: int, json: Json = False) -> None:
    """One run, live."""
    with workspace() as space:
        space.supervise()
        row = space.runs.get(run)
        failures = space.failures.of_run(run)
        if json:
            told = [{**failure, "hint": in_command(failure["hint"]) or None} for failure in failures]
            print_json({**as_json(space, row), "spec": row.spec, "failures": told})
            return
        summary(space, row)
        for failure in failures[:20]:
            say(f"failed: pair {failure['index']} ({failure['order']}): {failure['error']}")


@app.command()
def log(run: int, follow: Follow = False) -> None:
    """The log of a run's process."""
    with workspace() as space:
        row = space.runs.get(run)
        if row.log_path is None:
            raise RunError(
                f"run {run} was imported and has no log", hint=f"`winnow run show {run}` says what came of it"
            )
        print_log(Path(row.log_path), lambda: space.runs.get(run).status in OPEN, follow=follow)


@app.command()
def cancel(run: int) -> None:
    """Stop a run and verify that nothing of it is left."""
    with workspace() as space:
        space.launcher.cancel(run)
        space.supervise()
        deadline = time.monotonic() + 60
        row = space.runs.get(run)
        while row.status in OPEN and time.monotonic() < deadline:
            time.sleep(0.2)
            space.supervise()
            row = space.runs.get(run)
        if row.status in OPEN:
            raise RunError(f"run {run} is still {row.status}", hint=f"`winnow run log {run}`")
        say(f"run {run} is {row.status}")


@app.command()
def resume(run: int, wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended")] = False) -> None:
    """Go on with what a run has left, failed pairs included."""
    with workspace() as space:
        space.launcher.resume(run)
        space.supervise()
        if wait:
            summary(space, watch(space, run))
        else:
            say(f"run {run} is queued again")


@app.command("filter")
@policy_options()
def refilter(context: typer.Context, run: int, policy: Policy, json: Json = False) -> None:  # noqa: ARG001
    """Decide a run anew under another policy, without inference."""
    with workspace() as space:
        changed = space.launcher.refilter(run, policy)
        row = space.runs.get(run)
        if json:
            print_json({**as_json(space, row), "changed": changed})
        else:
            say(f"{changed} decisions changed")
            summary(space, row)


@app.command()
def predictions(
    run: int,
    decision: Annotated[str | None, typer.Option(help="accepted or rejected")] = None,
    reason: Annotated[str | None, typer.Option(help="Of the decision, such as agrees or low_margin")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say below each which rule read what in its text")] = False,
    json: Json = False,
) -> None:
    """Every prediction: JSON lines with --json, else a line each."""
    if decision not in (None, "accepted", "rejected"):
        raise UsageError(f"unknown decision {quoted(decision)}", hint="accepted or rejected")
    if reason not in (None, *(known := reasons())):
        raise UsageError(f"unknown reason {quoted(reason)}", hint=f"one of {', '.join(known)}")
    with workspace() as space:
        space.runs.get(run)
        rows = space.predictions.iter_rows(run, decision=decision, reason=reason)
        if json:
            print_lines(prediction_json(row, explained=explain) for row in rows)
            return
        for row in rows:
            caption = " ".join(row["prompt"].split())[:60]
            say(
                f"{row['index']:>6} {row['order']:<8}{row['sample']:>2}  "
                f"{row['answer'] or '-':<7}{row['preference']:<7}{row['effective']:<9}"
                f"{row['reason']:<14}{caption}"
            )
            if explain:
                for step in read_steps(row["text"]):
                    say(f"        {step.what}: {step.result}, by “{step.rule}”, in: {step.words}")
