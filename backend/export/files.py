"""Files that appear whole: written under another name, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain.json_text import dump_json, load_json
from backend.errors import ExportError

BUFFER = 1 << 18


class WholeFile:
    """A file that is there complete or not at all.

    Raises:
        ExportError: The file cannot be written, for instance because the disk is full. No half file
            is left under the final name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._partial = path.with_name(path.name + ".partial")
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Self:
        with _write_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._partial.open("wb", buffering=BUFFER)
        return self

    def write(self, data: bytes) -> None:
        assert self._stream is not None
        try:
            self._stream.write(data)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def finish(self) -> None:
        """What a format writes after its last row."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._stream is not None
        if kind is not None:
            with suppress(OSError):  # closing writes what is buffered, for which there is no room
                self._stream.close()
            self._partial.unlink(missing_ok=True)
            return
        try:
            with _write_errors(self.path):
                self.finish()
                self._stream.flush()
                os.fsync(self._stream.fileno())
                self._stream.close()
                os.replace(self._partial, self.path)
        except ExportError:
            with suppress(OSError):
                self._stream.close()
            self._partial.unlink(missing_ok=True)
            raise

    def describe(self) -> dict[str, Any]:
        """Name, rows, bytes and SHA-256, for the manifest."""
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = self.path.stat().st_size
        return {"name": self.path.name, "rows": self.rows, "bytes": size, "sha256": digest}


class JsonArray(WholeFile):
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


class JsonLines(WholeFile):
    """One JSON object a line."""

    def add(self, row: Mapping[str, Any]) -> None:
        self.write(dump_json(row) + b"\n")
        self.rows += 1


class ParquetFile(WholeFile):
    """A Parquet file, written in row groups."""

    GROUP = 10_000

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path)
        self._schema = schema
        self._waiting: list[Mapping[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        self._waiting.append(row)
        self.rows += 1
        if len(self._waiting) == self.GROUP:
            self._flush()

    def finish(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        with _write_errors(self.path):
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._stream, self._schema)
            self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
        self._waiting = []


def write_json(path: Path, value: Any) -> None:
    """A small JSON document, whole."""
    with WholeFile(path) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False, default=str).encode() + b"\n")


class _write_errors:
    """Turn what the disk says into one line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, OSError):
            raise _cannot_write(self._path, error) from error


def _cannot_write(path: Path, error: OSError) -> ExportError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "check that the folder can be written, or give another"
    if full:
        hint = "free some space and export again"
    return ExportError(f"{path}: cannot be written ({error.strerror})", hint=hint)
