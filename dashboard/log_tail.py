"""The end of a job's log, as text and nothing else."""

from __future__ import annotations

from pathlib import Path

from dashboard.text import visible

TAIL_BYTES = 64 * 1024
TAIL_LINES = 200
_LONGEST_LINE = 2_000


def log_tail(path: Path, *, size: int = TAIL_BYTES, lines: int = TAIL_LINES) -> tuple[str, bool]:
    """The last lines of a file, and whether something stands before them.

    A progress bar that draws over itself leaves its last state only. Bytes that are no UTF-8, control
    and direction marks and terminal codes become visible characters or go.
    """
    try:
        with path.open("rb") as file:
            whole = file.seek(0, 2)
            file.seek(max(0, whole - size))
            data = file.read(size)
    except OSError:
        return "", False
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    found = text.split("\n")
    if whole > size:
        found = found[1:]  # the first is most likely cut
    cut = whole > size or len(found) > lines
    shown = [visible(line.rstrip("\r").rsplit("\r", 1)[-1])[:_LONGEST_LINE] for line in found[-lines:]]
    return "\n".join(shown).strip("\n"), cut
