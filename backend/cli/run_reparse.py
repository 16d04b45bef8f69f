"""``winnow run reparse``: what reading stored texts again changes, before it is changed."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from backend.cli.output import Json, print_json, progress_bar, say, workspace
from backend.cli.run_output import as_json, summary
from backend.domain.jobs import OPEN
from backend.errors import UsageError
from backend.inference.reparsing import Preview
from backend.workspace import Workspace

_SHOWN = 20


def reparse(
    runs: Annotated[list[int] | None, typer.Argument(metavar="RUN", help="One or more runs")] = None,
    all_runs: Annotated[bool, typer.Option("--all", help="Every run that an older Winnow read")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Change it without asking")] = False,
    json: Json = False,
) -> None:
    """Read stored texts again, as this version does: says which answers change, then asks.

    A run whose texts were read again is decided anew by its own policy; rulings are kept.
    """
    if bool(runs) == all_runs:
        raise UsageError("name the runs to read again, or --all", hint="`winnow run list` shows them")
    with workspace() as space:
        wanted = [space.runs.get(run).id for run in runs or ()] or [
            run.id for run in space.runs.list() if run.read_by_older and run.status not in OPEN
        ]
        found = [_one(space, run, yes=yes, quiet=json) for run in wanted]
    if json:
        print_json(found if all_runs or len(found) != 1 else found[0])
    elif not wanted:
        say("every run was read by this version")


def _one(space: Workspace, run: int, *, yes: bool, quiet: bool) -> dict[str, Any]:
    total = space.runs.prediction_count(run)
    with progress_bar() as bar:
        task = bar.add_task(f"run {run}: looking", total=total)
        preview = space.launcher.preview_reparse(run, progress=lambda read: bar.update(task, completed=read))
    if not quiet:
        _say(run, preview)
    done = None
    if not preview.changed or yes or (not quiet and _agreed()):
        with progress_bar() as bar:
            task = bar.add_task(f"run {run}: reading", total=total)
            done = space.launcher.reparse(run, progress=lambda read: bar.update(task, completed=read))
    row = space.runs.get(run)
    if not quiet:
        if done is None:
            say(f"run {run} is as it was; --yes changes it")
        elif preview.changed:
            say(
                f"{done.read} texts read again: {done.changed} verdicts changed, "
                f"{done.answers} of them their answer; {done.decisions} decisions or flaws changed"
            )
            summary(space, row)
    return {
        **as_json(space, row),
        "preview": {
            "read": preview.read,
            "changed": preview.changed,
            "answers": [
                {"before": before, "after": after, "count": count}
                for (before, after), count in preview.answers.most_common()
            ],
            "listed": [{**asdict(one.place), "before": one.before, "after": one.after} for one in preview.listed],
        },
        "reparsed": None if done is None else asdict(done),
    }


def _say(run: int, preview: Preview) -> None:
    say(
        f"run {run}: of {preview.read} texts {preview.changed} would be read otherwise, "
        f"{preview.answers.total()} with another answer"
    )
    for (before, after), count in preview.answers.most_common():
        say(f"  {before or 'none'} → {after or 'none'}: {count}")
    for one in preview.listed[:_SHOWN]:
        say(
            f"    pair {one.place.index} ({one.place.order}, sample {one.place.sample}): "
            f"{one.before or 'none'} → {one.after or 'none'}"
        )
    if preview.answers.total() > _SHOWN:
        say(f"    … and {preview.answers.total() - _SHOWN} more; --json lists up to 200")


def _agreed() -> bool:
    return sys.stdin.isatty() and typer.confirm("Change them?")
