"""Winnow's own plain format: ``prompt, first, second, preference`` in JSON, CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.datasets.base import (
    UNREADABLE_HINT,
    BrokenRow,
    RowProblem,
    SourceRow,
    text_field,
)
from backend.datasets.json_rows import json_rows
from backend.datasets.parquet_rows import parquet_rows
from backend.domain.pairs import MediaKind, OrderPolicy, Preference
from backend.errors import DatasetError

COLUMNS = ("prompt", "first", "second", "preference")

_WORDS = {
    "first": Preference.FIRST, "a": Preference.FIRST,
    "second": Preference.SECOND, "b": Preference.SECOND,
    "tie": Preference.TIE, "c": Preference.TIE,
}  # fmt: skip


class Pairs:
    """The format is seen from the extension; whether image or video, from that of the media."""

    name = "pairs"
    kind: MediaKind | None = None
    order = OrderPolicy.SHUFFLED

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
    """A preference as people write it: ``first`` or ``A``, ``second`` or ``B``, ``tie`` or ``C``, in
    any case.

    No number is one: 0 and 1 are first and second in some files, tie and first in others.

    Raises:
        RowProblem: It is none of these.
    """
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _WORDS:
        return _WORDS[word]
    number = isinstance(value, int | float) or word.removesuffix(".0").isdecimal()
    hint = "; what a number means differs from file to file: write the word" if number else ""
    raise RowProblem(f"preference {value!r} is not first, second or tie{hint}")


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
        raise DatasetError(
            f"{path}: cannot be read as CSV ({error})",
            hint=f"the first line must name the columns {', '.join(COLUMNS)}",
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror})", hint=UNREADABLE_HINT
        ) from error


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
