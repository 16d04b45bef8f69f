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
    """One line for a person. Never markup: names in it come from anywhere."""
    out.print(Text(clean(text)))


def note(text: str) -> None:
    """One line beside the result, on standard error."""
    err.print(Text(clean(text)))


def clean(text: str) -> str:
    """Without control characters, so that hostile names cannot move the cursor or colour a line."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def print_json(value: Any) -> None:
    """A JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON lines on standard output, one row at a time."""
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean("" if cell is None else str(cell))) for cell in row))
    out.print(table)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Progress on standard error, shown only when a terminal is there."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        yield progress
