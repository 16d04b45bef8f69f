"""A task instruction from the command line, and watching a run until it ends."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.output import note, progress_bar
from backend.domain.jobs import OPEN
from backend.domain.prompts import CAPTION_PLACE, check_instruction
from backend.errors import NotFound, RunError, UsageError
from backend.foreign_text import brief
from backend.store.runs import RunRow
from backend.workspace import Workspace

Instruction = Annotated[
    str | None, typer.Option(help="Task instruction, or a file of it; {prompt} is the caption's place")
]

_ENDINGS = (".txt", ".md", ".jinja")
_LONGEST_PATH = 1000


def read_instruction(given: str | None) -> str | None:
    """The template itself, or what is in the file of that name.

    Raises:
        NotFound: What looks like a file's name is none.
        UsageError: The file is no text, or the template has no place for the caption.
    """
    if given is None:
        return None
    return check_instruction(_text_of(Path(given)) if _is_file(given) else given)


def _is_file(given: str) -> bool:
    if "\n" in given or len(given) > _LONGEST_PATH:
        return False
    with suppress(OSError):  # a long sentence makes no file's name
        if Path(given).is_file():
            return True
    in_one_piece = not any(character.isspace() for character in given)
    looks_so = given.endswith(_ENDINGS) or (in_one_piece and os.sep in given and CAPTION_PLACE not in given)
    if looks_so:
        raise NotFound(f"{given}: no such file", hint="give the instruction, or a file of it")
    return False


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as an instruction ({brief(error)})") from error


def watch(space: Workspace, run_id: int) -> RunRow:
    """Show a run's progress until it ends.

    Raises:
        RunError: It ended in any state but ``finished``.
    """
    wait = space.patience
    with progress_bar() as bar:
        run = wait.call(lambda: space.runs.get(run_id))
        task = bar.add_task(f"run {run_id} {run.status}", total=run.total)
        while run.status in OPEN:
            time.sleep(0.3)
            space.supervise()
            run = wait.call(lambda: space.runs.get(run_id))
            counts = wait.call(lambda: space.runs.counts(run_id))
            text = f"run {run_id} {run.status} · {counts['accepted']} accepted"
            bar.update(task, description=text, completed=counts["done"] + counts["failed"])
    if run.status != "finished":
        raise RunError(
            f"run {run_id} {run.status}{': ' + run.error if run.error else ''}",
            hint=run.hint or f"`winnow run log {run_id}` says why; `winnow run resume {run_id}` goes on",
        )
    failed = space.runs.counts(run_id)["failed"]
    if failed:
        note(f"{failed} predictions failed: `winnow run show {run_id}` lists them")
    return run
