"""Winnow's own plain format: ``prompt, first, second, preference`` in JSON, CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.datasets.base import BrokenRow, RowProblem, SourceRow, text_field
from backend.datasets.json_rows import json_rows
from backend.datasets.parquet_rows import parquet_rows
from backend.domain.pairs import MediaKind, Preference
from backend.errors import DatasetError

COLUMNS = ("prompt", "first", "second", "preference")

_WORDS = {
    "first": Preference.FIRST, "1": Preference.FIRST, "a": Preference.FIRST,
    "second": Preference.SECOND, "2": Preference.SECOND, "b": Preference.SECOND,
    "tie": Preference.TIE, "0": Preference.TIE, "c": Preference.TIE,
}  # fmt: skip


class Pairs:
    """The format is seen from the extension; whether image or video, from that of the media."""

    name = "pairs"
    kind: MediaKind | None = None

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:  # noqa: ARG002
        """See :class:`~backend.datasets.base.Source`."""
        suffix = path.suffix.lower()
        if suffix in (".parquet", ".pq"):
            return parquet_rows(path, COLUMNS, _convert)
        if suffix == ".csv":
            return _csv_rows(path)
        return json_rows(path, _convert)

    def default_data_root(self, path: Path) -> Path:
        """The file's folder."""
        return path.parent


def read_preference(value: Any) -> Preference:
    """A preference as people write it: ``first 1 A``, ``second 2 B``, ``tie 0 C``, in any case.

    Raises:
        RowProblem: It is none of these.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = "" if value is None or isinstance(value, bool) else str(value).strip().lower()
    try:
        return _WORDS[word]
    except KeyError:
        raise RowProblem(f"preference {value!r} is not first, second or tie") from None


def _csv_rows(path: Path) -> Iterator[SourceRow | BrokenRow]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file, restkey="")
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(
                    f"{path}: has no column {', '.join(map(repr, missing))}",
                    hint=f"the first line must name the columns {', '.join(COLUMNS)}",
                )
            row = 0
            while True:
                try:
                    item = next(reader)
                    if "" in item:
                        raise RowProblem("more fields than columns")
                    yield _convert(row, item)
                except StopIteration:
                    return
                except (csv.Error, RowProblem) as problem:
                    yield BrokenRow(row, f"line {reader.line_num}: {problem}")
                row += 1
    except csv.Error as error:
        raise DatasetError(f"{path}: cannot be read as CSV ({error})") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error


def _convert(row: int, item: dict[str, Any]) -> SourceRow:
    return SourceRow(
        row,
        text_field(item, "prompt"),
        text_field(item, "first"),
        text_field(item, "second"),
        read_preference(item.get("preference")),
        None,
        {
            key: value
            for key, value in item.items()
            if key not in COLUMNS and isinstance(value, str | int | float)
        },
    )
