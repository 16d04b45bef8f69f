"""The flat rows of ``jsonl`` as Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backend.export.files import ExportFile, write_errors
from backend.export.formats.jsonl import COLUMNS, JSONL
from backend.files import Folder

_NUMBERS = {"video_fps": pa.float64(), "index": pa.int64(), "sample": pa.int64(), "run": pa.int64()}
_SCHEMA = pa.schema([(name, _NUMBERS.get(name, pa.string())) for name in COLUMNS])


class _ParquetFile(ExportFile):
    """Written in row groups."""

    GROUP = 10_000

    def __init__(self, path: Path, *, within: Folder | None = None) -> None:
        super().__init__(path, within=within)
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

    @staticmethod
    def rows_of(path: Path) -> Iterator[dict[str, Any]]:
        for batch in pq.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()

    def _flush(self) -> None:
        with write_errors(self.path):
            if self._writer is None:
                self._writer = pq.ParquetWriter(self.stream, _SCHEMA)
            self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=_SCHEMA))
        self._waiting = []


PARQUET = replace(
    JSONL,
    name="parquet",
    label="Parquet, one row a prediction",
    purpose="Flat rows in shown order, with where each comes from, as Parquet.",
    ending=".parquet",
    layout=_ParquetFile,
)
