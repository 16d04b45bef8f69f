"""The files of an export: each is there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backend import files
from backend.domain.json_text import dump_json, load_json
from backend.errors import ExportError
from backend.files import Folder


class ExportFile(files.WholeFile):
    """A file that is there complete or not at all, and what an export says of it.

    Raises:
        ExportError: The file cannot be written, for instance because the disk is full. No half file
            is left.
    """

    def __init__(self, path: Path, *, within: Folder | None = None) -> None:
        super().__init__(path, within=within)
        self.rows = 0

    def __enter__(self) -> Self:
        with write_errors(self.path):
            return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with write_errors(self.path):
            super().__exit__(kind, error, traceback)

    def write(self, data: bytes) -> None:
        """Write on."""
        try:
            self.stream.write(data)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    @staticmethod
    def rows_of(path: Path) -> Iterator[dict[str, Any]]:
        """The rows of such a file, one at a time: by default those that stand in a line each."""
        with path.open("rb") as stream:
            for line in stream:
                if line.startswith(b"{"):
                    yield load_json(line.rstrip().rstrip(b","))


class JsonArray(ExportFile):
    """A JSON array, one row a line, never whole in memory."""

    def add(self, row: Mapping[str, Any]) -> None:
        self.write((b",\n" if self.rows else b"[\n") + dump_json(row))
        self.rows += 1

    def finish(self) -> None:
        self.write(b"\n]\n" if self.rows else b"[]\n")


def first_row_of_ours(path: Path) -> dict[str, Any] | None:
    """The first row of a file that is laid out as :class:`JsonArray` writes it: ``[``, then one whole
    row a line. ``None`` for any other file.

    ``json.dump`` never does that, indented or not, so it tells our files from other scripts' wherever
    they are copied, without a key in their rows that no loader asked for.
    """
    with path.open("rb") as stream:
        line = stream.readline() if stream.readline(3) == b"[\n" else b""
    try:
        row = load_json(line.rstrip(b",\n"))
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


class JsonLines(ExportFile):
    """One JSON object a line."""

    def add(self, row: Mapping[str, Any]) -> None:
        self.write(dump_json(row) + b"\n")
        self.rows += 1


def described(folder: Folder, name: str, rows: int) -> dict[str, Any]:
    """Name, rows, bytes and SHA-256 of a file, for the manifest."""
    with folder.reading(name) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"name": name, "rows": rows, "bytes": stream.tell(), "sha256": digest}


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn what the disk says into one line."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> ExportError:
    """What the disk said, and what to do about it."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "check that the folder can be written, or give another"
    if full:
        hint = "free some space and export again"
    return ExportError(f"{path}: cannot be written ({error.strerror or error})", hint=hint)
