"""Winnow's own plain format: ``prompt, first, second, preference`` in JSON, CSV, TSV or Parquet.

The format is seen from the extension; whether image or video, from that of the media.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

from backend.datasets.base import UNREADABLE_HINT, BrokenRow, RowProblem, Source, SourceRow, text_field
from backend.datasets.json_rows import json_rows
from backend.datasets.parquet_rows import parquet_rows
from backend.datasets.row_keys import Keys, read_row
from backend.datasets.text_files import open_text
from backend.domain.pairs import MediaKind, Preference
from backend.errors import DatasetError
from backend.foreign_text import brief, quoted
from backend.options import Options

COLUMNS = ("prompt", "first", "second", "preference")
_TABLES = frozenset({".csv", ".tsv", ".tab"})
_KEYS = Keys(*COLUMNS, keeps=lambda value: isinstance(value, str | int | float))

_HEADER = f"the first line must name the columns {', '.join(COLUMNS)}"

_WORDS = {
    "first": Preference.FIRST,
    "a": Preference.FIRST,
    "second": Preference.SECOND,
    "b": Preference.SECOND,
    "tie": Preference.TIE,
    "c": Preference.TIE,
}


def _read(path: Path, _root: Path, _options: Options) -> Iterator[SourceRow | BrokenRow]:
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        return parquet_rows(path, COLUMNS, _convert, _KEYS, optional=None)
    if suffix in _TABLES:
        return _table_rows(path)
    return json_rows(path, _convert, _KEYS)


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
    raise RowProblem(f"preference {quoted(value)} is not first, second or tie{hint}")


def _table_rows(path: Path) -> Iterator[SourceRow | BrokenRow]:
    try:
        with open_text(path, "CSV", newline="") as file:
            header = file.readline()
            file.seek(0)
            reader = _reader(path, file, header)
            row = 0
            while True:
                try:
                    item = next(reader)
                    if "" in item:
                        raise RowProblem("more fields than columns")
                    if reader.reader.dialect.quoting == csv.QUOTE_NONE:
                        _refuse_quotes(item)
                    read = read_row(row, item, _convert, _KEYS)
                    if isinstance(read, BrokenRow):
                        raise RowProblem(read.message)
                    yield read
                except StopIteration:
                    return
                except (csv.Error, RowProblem) as problem:
                    yield BrokenRow(row, f"line {reader.reader.line_num}: {problem}")
                row += 1
    except csv.Error as error:
        raise DatasetError(f"{path}: cannot be read as CSV ({brief(error)})", hint=_HEADER) from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})", hint=UNREADABLE_HINT) from error


def _reader(path: Path, file: TextIO, header: str) -> csv.DictReader[str]:
    """A reader by the one separator with which the first line names the columns: none of their names
    holds a separator, so there is one or none."""
    missing: list[str] = list(COLUMNS)
    for separator in (",", "\t", ";"):
        # Some programs quote fields between tabs and some do not, so that quotes say nothing there.
        quoting: Literal[0, 3] = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
        names = next(csv.reader([header], delimiter=separator, quoting=quoting), [])
        lacks = [name for name in COLUMNS if name not in names]
        twice = [name for name in COLUMNS if names.count(name) > 1]
        if twice:
            raise DatasetError(f"{path}: names the column {quoted(twice[0])} twice", hint=_HEADER)
        if not lacks:
            return csv.DictReader(file, restkey="", delimiter=separator, quoting=quoting, strict=True)
        missing = min(missing, lacks, key=len)
    raise DatasetError(f"{path}: has no column {', '.join(map(repr, missing))}", hint=_HEADER)


def _refuse_quotes(item: dict[str, str | None]) -> None:
    for name, value in item.items():
        if value and value.startswith('"'):
            raise RowProblem(f"{quoted(name)} is in quotes, which mean two things between tabs: use CSV")


def _convert(row: int, item: dict[str, Any]) -> SourceRow:
    return SourceRow(
        row,
        text_field(item, "prompt"),
        text_field(item, "first"),
        text_field(item, "second"),
        read_preference(item.get("preference")),
        None,
        {key: value for key, value in item.items() if key not in COLUMNS and isinstance(value, str | int | float)},
    )


PAIRS = Source(
    name="pairs",
    label="Winnow's own",
    purpose="Pairs in a plain file, for data of your own.",
    file="JSONL, CSV (`,` `;` or tabs) or Parquet; `prompt, first, second, preference`",
    preference="`first`, `second` or `tie` (`A`, `B`, `C`); no numbers",
    media=tuple(MediaKind),
    example={"prompt": "a red cube", "first": "worse.png", "second": "better.png", "preference": "second"},
    ending=".jsonl",
    read=_read,
)
