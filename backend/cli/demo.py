"""``winnow demo``: the whole loop on rendered pairs with a judge that ships with the project."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.engine_options import watch
from backend.cli.output import Json, given, print_json, progress_bar, say, workspace
from backend.cli.serve import serve as serve_dashboard
from backend.demo.judge import measure_judge, shipped_judge
from backend.demo.steps import run_demo
from backend.engines.base import EngineOptions
from backend.engines.registry import resolve_engine
from backend.files import copy_new

app = typer.Typer(help="Try everything on rendered pairs.", invoke_without_command=True)


@app.callback()
def demo(
    context: typer.Context, serve: Annotated[bool, typer.Option(help="Open the dashboard at the end")] = True
) -> None:
    """Render pairs, judge them in the background, filter, freeze and export."""
    if context.invoked_subcommand is not None:
        return
    with workspace() as space:

        def wait(run_id: int) -> None:
            space.supervise()
            watch(space, run_id)

        done = run_demo(space.database, space.launcher, space.folder, wait=wait, say=say)
        say("")
        say(f"next: winnow --workspace {space.folder} run predictions {done.runs[0]}")
        folder_used = space.folder
    if serve:
        given.workspace = folder_used
        raise typer.Exit(serve_dashboard())


@app.command("build-judge")
def build_judge(
    work: Annotated[Path, typer.Option(help="Work folder; the same one resumes")] = Path("winnow-judge"),
    out: Annotated[Path | None, typer.Option(help="Copy the finished judge there")] = None,
    stop_after: Annotated[int | None, typer.Option(help="Stop, resumably, at this step")] = None,
) -> None:
    """Train the demo judge from nothing (in less than an hour on two cores)."""
    # What it trains with; said before anything is rendered.
    resolve_engine("transformers", model=str(shipped_judge()), options=EngineOptions())
    from backend.demo.judge_training import train_judge

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with progress_bar() as bar:
        task = bar.add_task("steps", total=None)
        judge = train_judge(
            work,
            progress=lambda done, total, loss: bar.update(
                task, completed=done, total=total, description=f"loss {loss:.3f}"
            ),
            stop_after=stop_after,
        )
    if out is not None:
        for path in sorted(judge.iterdir()):
            copy_new(path, out / path.name)
    say(f"judge in {out or judge}; `winnow demo measure-judge --judge {out or judge}` measures it")


@app.command("measure-judge")
def measure(
    judge: Annotated[Path | None, typer.Option(help="Folder; default: the shipped judge")] = None,
    pairs: Annotated[int, typer.Option(help="Held-out pairs of each medium")] = 320,
    media_shift: Annotated[int, typer.Option(help="1 exchanges media between pairs: must give chance")] = 0,
    engine: str = "transformers",
    json: Json = False,
) -> None:
    """Accuracy of a judge on held-out pairs, with 95 % intervals."""
    results = measure_judge(judge or shipped_judge(), pairs=pairs, media_shift=media_shift, engine=engine)
    if json:
        print_json(
            [
                {
                    "kind": row.kind.value,
                    "pairs": row.pairs,
                    "right": row.right,
                    "accuracy": row.share,
                    "interval": row.interval,
                    "unreadable": row.unreadable,
                    "flawed": row.flawed,
                }
                for row in results
            ]
        )
        return
    for row in results:
        low, high = row.interval
        say(
            f"{row.kind.value}: {row.right}/{row.pairs} right = {row.share:.3f} "
            f"({low:.3f} to {high:.3f}), {row.unreadable} unreadable, {row.flawed} flawed"
        )
