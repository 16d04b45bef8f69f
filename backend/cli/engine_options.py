"""Engine options as command-line options, and watching a run until it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from backend.cli.output import note, progress_bar
from backend.engines.base import EngineOptions
from backend.errors import RunError, UsageError
from backend.inference.launch import ACTIVE
from backend.store.runs import RunRow
from backend.workspace import Workspace

BatchSize = Annotated[int, typer.Option(help="Requests in flight")]
MaxNewTokens = Annotated[int, typer.Option(help="Token limit of one completion")]
Instruction = Annotated[
    str | None,
    typer.Option(help="Task instruction, or a file of it; {prompt} is the caption's place"),
]
TensorParallel = Annotated[int, typer.Option(help="GPUs one replica is spread over")]
GpuMemory = Annotated[float, typer.Option(help="Share of GPU memory that vLLM may take")]
VideoFps = Annotated[float, typer.Option(help="Frames a second given to the judge")]
UseCot = Annotated[bool, typer.Option("--use-cot/--no-use-cot", help="Ask for reasoning")]


def engine_options(**values: Any) -> EngineOptions:
    """The options, with a wrong value told in one line.

    Raises:
        UsageError: A value is out of range.
    """
    try:
        return EngineOptions(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise UsageError(f"--{name}: {first['msg']}") from error


def read_instruction(given: str | None) -> str | None:
    """The template itself, or what is in the file of that name."""
    if given is None or "\n" in given or len(given) > 1000:
        return given
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as an instruction ({error})") from error


def watch(space: Workspace, run_id: int) -> RunRow:
    """Show a run's progress until it ends.

    Raises:
        RunError: It ended in any state but ``finished``.
    """
    with progress_bar() as bar:
        run = space.runs.get(run_id)
        task = bar.add_task(f"run {run_id} {run.status}", total=run.total)
        while run.status in ACTIVE:
            time.sleep(0.3)
            space.supervise()
            run = space.runs.get(run_id)
            counts = space.runs.counts(run_id)
            text = f"run {run_id} {run.status} · {counts['accepted']} accepted"
            bar.update(task, description=text, completed=counts["done"] + counts["failed"])
    if run.status != "finished":
        raise RunError(
            f"run {run_id} {run.status}{': ' + run.error if run.error else ''}",
            hint=run.hint
            or f"`winnow run log {run_id}` says why; `winnow run resume {run_id}` goes on",
        )
    failed = space.runs.counts(run_id)["failed"]
    if failed:
        note(f"{failed} predictions failed: `winnow run show {run_id}` lists them")
    return run
