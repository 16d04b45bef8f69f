"""Opening text files, and naming those that are something else."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import TextIO

from backend.errors import DatasetError
from backend.media.opening import open_regular

_SIGNS = (
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"ARROW1", "an Arrow file"),
)
_WIDE = (  # the longer marks first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def open_text(path: Path, wanted: str, *, newline: str) -> TextIO:
    """A UTF-8 file, with or without a byte-order mark.

    Bytes that are no UTF-8 become lone surrogates, which the importer reports as broken rows.

    Args:
        wanted: What the file should be, for the error.

    Raises:
        DatasetError: It is text of another encoding, or no text.
        OSError: It cannot be read, or is no regular file.
    """
    file = open_regular(path)
    try:
        _refuse_others(path, wanted, file.read(4096))
        file.seek(0)
        return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    except BaseException:
        file.close()
        raise


def _refuse_others(path: Path, wanted: str, start: bytes) -> None:
    for sign, name in _SIGNS:
        if start.startswith(sign):
            raise DatasetError(
                f"{path}: is {name}, not {wanted}", hint="unpack it, or name the source that reads such files"
            )
    encoding = next((name for mark, name in _WIDE if start.startswith(mark)), None)
    if encoding is None and b"\0" in start[:2]:  # the first character of JSON and CSV is ASCII
        encoding = {1: "UTF-16", 2: "UTF-16", 3: "UTF-32"}.get(start[:4].count(b"\0"))
    if encoding is not None:
        raise DatasetError(
            f"{path}: is {encoding} text, where UTF-8 is read",
            hint=f"convert it: iconv -f {encoding} -t UTF-8 OLD > NEW",
        )
