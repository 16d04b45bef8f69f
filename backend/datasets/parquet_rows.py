"""Streaming Parquet: only the columns that are needed, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backend.datasets.base import BrokenRow, SourceRow
from backend.datasets.row_keys import Keys, read_row
from backend.errors import DatasetError
from backend.foreign_text import brief, quoted
from backend.media.opening import open_regular

_BATCH = 2_000


def parquet_rows(
    path: Path,
    needed: Sequence[str],
    convert: Callable[[int, dict[str, Any]], SourceRow],
    keys: Keys,
    *,
    optional: Sequence[str] | None = (),
) -> Iterator[SourceRow | BrokenRow]:
    """The rows of a Parquet file.

    Args:
        keys: Columns that the source knows. Others that change what a row means are read too, and
            those that are left out are named at the first row.
        optional: Further columns to read where they are there; ``None`` reads all that hold texts,
            numbers or truth values.

    Raises:
        DatasetError: The file is no Parquet file, lacks one of the columns ``needed``, holds media in
            one of them, or is damaged.
    """
    held = ExitStack()
    try:
        opened = pq.ParquetFile(held.enter_context(open_regular(path)))
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(
            f"{path}: cannot be read as Parquet ({brief(error)})",
            hint="the file is damaged, cut off or of another format: get it again",
        ) from error
    with held:
        present = opened.schema_arrow.names
        missing = [column for column in needed if column not in present]
        if missing:
            raise DatasetError(
                f"{path}: has no column {', '.join(map(repr, missing))}", hint=f"its columns: {', '.join(present)}"
            )
        telling = [column for column in present if keys.meaning(column)]
        _refuse_media(path, opened.schema_arrow, [*needed, *telling])
        wanted = {*telling, *(_plain(opened.schema_arrow) if optional is None else optional)}
        columns = [*needed, *(column for column in present if column in wanted and column not in needed)]
        left_out = keys.unread({column: () for column in present if column not in columns})
        row = 0
        try:
            for batch in opened.iter_batches(batch_size=_BATCH, columns=columns):
                for item in batch.to_pylist():
                    read = read_row(row, item, convert, keys)
                    if left_out and isinstance(read, SourceRow):
                        read, left_out = read._replace(ignored=(*read.ignored, *left_out)), ()
                    yield read
                    row += 1
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(
                f"{path}: the file breaks off at row {row} ({brief(error)})", hint="get the file again"
            ) from error


def _plain(schema: pa.Schema) -> list[str]:
    types = pa.types
    plain = (types.is_string, types.is_large_string, types.is_boolean, types.is_integer, types.is_floating)
    return [field.name for field in schema if any(test(field.type) for test in plain)]


def _refuse_media(path: Path, schema: pa.Schema, columns: Sequence[str]) -> None:
    """Refuse columns of ``{bytes, path}``, as the hub's data sets have them: a batch of them may fill
    the memory, and media are read from files."""
    for name in columns:
        held = schema.field(name).type
        if pa.types.is_struct(held) or pa.types.is_binary(held) or pa.types.is_large_binary(held):
            raise DatasetError(
                f"{path}: column {quoted(name)} holds the media themselves ({held}), not paths of files",
                hint="write each medium to a file, and the files' paths into the column",
            )
