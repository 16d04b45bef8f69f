"""What commands share: the open workspace, tables, JSON and progress bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from backend.foreign_text import visible
from backend.workspace import Workspace, open_workspace, settings_for

# Into a file or a pipe there is no width to keep to, and folded cells could not be searched.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")]


@dataclass(slots=True)
class Globals:
    """Options that may stand anywhere on the command line."""

    workspace: Path | None = None
    debug: bool = False


given = Globals()


@contextmanager
def workspace() -> Iterator[Workspace]:
    """The workspace that ``--workspace`` or ``WINNOW_WORKSPACE`` names, with dead runs marked."""
    opened = open_workspace(settings_for(given.workspace))
    try:
        if opened.read_only:
            note(f"{opened.folder} is {opened.read_only}")
        opened.reconcile()
        yield opened
    finally:
        opened.close()


def say(text: str) -> None:
    """One line for a person, into a pipe as well: nothing in it acts on a terminal."""
    out.print(_shown(text))


def note(text: str) -> None:
    """One line beside the result, on standard error."""
    err.print(_shown(text))


def _shown(text: str) -> Text:
    # Never markup, and never two lines: names in it come from anywhere.
    return Text(visible(text).replace("\n", "\\n"))


def print_json(value: Any) -> None:
    """A JSON document on standard output, in ASCII: whatever a text holds, it arrives as it is, and
    does nothing to a terminal."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON lines on standard output, one row at a time, as :func:`print_json` writes."""
    for row in rows:
        sys.stdout.write(json.dumps(row, default=str) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_shown("" if cell is None else str(cell)) for cell in row))
    out.print(table)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Progress on standard error, shown only when a terminal is there."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns,
        console=err,
        disable=not err.is_terminal,
        # Else what others write meanwhile would reach the terminal as Rich reads it, colours and all.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        yield progress
