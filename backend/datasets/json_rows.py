"""Streaming JSON: an array of objects, or one object a line.

The standard decoder runs over a sliding buffer, so that memory stays at one buffer however long the file
is. ijson's C parser is twice as fast (``benchmarks/json_rows.py``), but refuses the ``NaN`` that Python's own
writers put into such files, and names no line where a file is broken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from backend.datasets.base import UNREADABLE_HINT, BrokenRow, SourceRow
from backend.datasets.row_keys import Keys, read_row
from backend.datasets.text_files import open_text
from backend.domain.json_text import is_too_deep, load_json
from backend.errors import DatasetError

BUFFER = 1 << 20
"""Characters read at once."""

MAX_OBJECT = 1 << 24
"""Characters one object may have; without a bound, a broken file would be read whole."""

_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


def json_rows(
    path: Path, convert: Callable[[int, dict[str, Any]], SourceRow], keys: Keys
) -> Iterator[SourceRow | BrokenRow]:
    """The rows of a JSON array or JSON-lines file; which of the two is seen from its first byte.

    A broken line is reported and skipped. In an array nothing behind a syntax error can be told
    apart, so that one ends the file: half a dataset must not pass for a whole one.

    Raises:
        DatasetError: The file cannot be read, is no UTF-8 text, or its array breaks off or is not
            JSON; names the line.
    """
    try:
        with open_text(path, "JSON", newline="\n") as file:
            start = " "
            while start and start in _SPACE:
                start = file.read(1)
            file.seek(0)
            for row, value in _array(path, file) if start == "[" else _lines(file):
                if isinstance(value, BrokenRow):
                    yield value
                elif not isinstance(value, dict):
                    yield BrokenRow(row, "is not a JSON object")
                else:
                    yield read_row(row, value, convert, keys)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})", hint=UNREADABLE_HINT) from error


def json_array(path: Path) -> Iterator[Any]:
    """The values of a JSON array, one at a time.

    Raises:
        DatasetError: The file holds something else, or its array breaks off or is not JSON; names
            the line.
        OSError: It cannot be read.
    """
    with open_text(path, "JSON", newline="\n") as file:
        start = " "
        while start and start in _SPACE:
            start = file.read(1)
        if start != "[":
            raise DatasetError(f"{path}: is no JSON array", hint="it would begin with [")
        file.seek(0)
        for _, value in _array(path, file):
            yield value


def _lines(file: TextIO) -> Iterator[tuple[int, Any]]:
    row = 0
    lines = iter(lambda: file.readline(MAX_OBJECT), "")
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            if len(line) == MAX_OBJECT and not line.endswith("\n"):
                _pass_over_line(file)
                raise json.JSONDecodeError(f"more than {MAX_OBJECT:,} characters", "", 0)
            yield row, load_json(line)
        except json.JSONDecodeError as error:
            yield row, BrokenRow(row, f"line {number}: invalid JSON ({_reason(error)})")
        row += 1


def _pass_over_line(file: TextIO) -> None:
    """Read to the end of a line that is too long to be kept."""
    while (piece := file.readline(BUFFER)) and not piece.endswith("\n"):
        pass


def _array(path: Path, file: TextIO) -> Iterator[tuple[int, Any]]:
    buffer = file.read(BUFFER)
    at = buffer.index("[") + 1
    line = 1 + buffer.count("\n", 0, at)
    counted = at  # newlines before this place are in ``line``
    row = 0
    ended = False
    separated = True  # the opening bracket, or a comma, has been passed
    while True:
        while at < len(buffer) and buffer[at] in _SPACE:
            at += 1
        problem = None
        if at < len(buffer):
            if buffer[at] == "]":
                _refuse_more(path, file, buffer, at + 1, line + buffer.count("\n", counted, at), row)
                return
            if buffer[at] == ",":
                separated, at = True, at + 1
                continue
            try:
                if not separated:
                    raise json.JSONDecodeError("Expecting ',' delimiter", buffer, at)
                value, end = _DECODER.raw_decode(buffer, at)
                if is_too_deep(value):
                    raise RecursionError
            # A number of thousands of digits is a bare ValueError.
            except (ValueError, RecursionError) as error:
                problem = error
            else:
                yield row, value
                row, at, separated = row + 1, end, False
                continue
        if problem is not None and (ended or len(buffer) - at > MAX_OBJECT or not _cut_off(problem, buffer)):
            where = problem.pos if isinstance(problem, json.JSONDecodeError) else at
            line += buffer.count("\n", counted, where)
            raise _broken_array(path, line, row, _reason(problem))
        if ended:
            line += buffer.count("\n", counted)
            raise _broken_array(path, line, row, "the array breaks off")
        line += buffer.count("\n", counted, at)
        more = file.read(BUFFER)
        ended = not more
        buffer = buffer[at:] + more
        at = counted = 0


def _refuse_more(path: Path, file: TextIO, buffer: str, at: int, line: int, row: int) -> None:
    """Refuse what stands behind an array: a second one, say, whose rows would be left out silently."""
    while True:
        rest = buffer[at:].lstrip(_SPACE)
        if rest:
            line += buffer.count("\n", at, len(buffer) - len(rest))
            raise _broken_array(path, line, row, "there is more behind the array's end")
        line += buffer.count("\n", at)
        buffer, at = file.read(BUFFER), 0
        if not buffer:
            return


def _broken_array(path: Path, line: int, row: int, reason: str) -> DatasetError:
    return DatasetError(
        f"{path}:{line}: invalid JSON in row {row} ({reason})",
        hint="the file is damaged or cut off: get it again, or mend it there",
    )


def _cut_off(error: Exception, buffer: str) -> bool:
    """Whether an error may only mean that the object goes on behind the buffer."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    # A literal or an escape cut in two is reported at its start, a few characters before the end.
    return error.msg.startswith("Unterminated string") or error.pos >= len(buffer) - 16


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
