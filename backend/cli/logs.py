"""A job's log in the terminal, once or for as long as the job lives."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.output import say

_LONGEST_LINE = 1 << 16  # bytes; a longer one is printed in pieces

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on reading")]


def print_log(path: Path, alive: Callable[[], bool], *, follow: bool) -> None:
    """Print a log's lines; with ``follow`` go on until the job that writes it is not ``alive``.

    A line that is still being written is printed once it is whole, or once nobody writes any more.
    """
    position = 0
    while True:
        # Asked before reading: what is written between the two is read in the next turn, or was all.
        going_on = follow and alive()
        if path.exists():
            with path.open("rb") as stream:
                stream.seek(position)
                for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
                    if going_on and not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
                        break
                    position += len(line)
                    # Of a progress bar that draws over itself, its last state.
                    say(line.decode(errors="replace").rstrip("\r\n").rsplit("\r", 1)[-1])
        if not going_on:
            return
        time.sleep(0.5)
