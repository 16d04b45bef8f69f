"""Streaming Parquet: only the columns that are needed, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backend.datasets.base import BrokenRow, RowProblem, SourceRow
from backend.errors import DatasetError

_BATCH = 2_000


def parquet_rows(
    path: Path,
    needed: Sequence[str],
    convert: Callable[[int, dict[str, Any]], SourceRow],
    *,
    optional: Sequence[str] = (),
) -> Iterator[SourceRow | BrokenRow]:
    """The rows of a Parquet file.

    Raises:
        DatasetError: The file is no Parquet file, lacks one of the columns ``needed``, or is damaged.
    """
    try:
        opened = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(
            f"{path}: cannot be read as Parquet ({error})",
            hint="the file is damaged, cut off or of another format: get it again",
        ) from error
    with opened:
        present = opened.schema_arrow.names
        missing = [column for column in needed if column not in present]
        if missing:
            raise DatasetError(
                f"{path}: has no column {', '.join(map(repr, missing))}",
                hint=f"its columns: {', '.join(present)}",
            )
        columns = [*needed, *(column for column in optional if column in present)]
        row = 0
        try:
            for batch in opened.iter_batches(batch_size=_BATCH, columns=columns):
                for item in batch.to_pylist():
                    try:
                        yield convert(row, item)
                    except RowProblem as problem:
                        yield BrokenRow(row, str(problem))
                    row += 1
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(
                f"{path}: the file breaks off at row {row} ({error})", hint="get the file again"
            ) from error
