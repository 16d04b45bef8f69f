"""From a source's row to the pair that is stored, its paths relative to the dataset's data root."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.datasets.base import Source, SourceRow
from backend.domain.pairs import pair_key
from backend.errors import DatasetError
from backend.hints import Hint
from backend.media.paths import media_kind
from backend.store.datasets import NewPair

_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def new_pair(row: SourceRow, index: int, prefix: str) -> NewPair:
    """A source's row as it is stored.

    Raises:
        ValueError: The row holds what is no text, or the same file on both sides.
        MediaError: The two media are of no known kind.
    """
    first, second = row.first, row.second
    if prefix:
        first, second = (p if p.startswith("/") else prefix + p for p in (first, second))
    try:
        every = f"{row.prompt}{first}{second}"
        every.encode()
    except UnicodeEncodeError as error:
        raise ValueError("is not valid UTF-8") from error
    if "\0" in every:
        raise ValueError("contains a NUL character")
    if first == second:
        raise ValueError(f"both sides are the same file, {first}")
    kind = row.kind
    if kind is None:
        kind = media_kind(first)
        if media_kind(second) is not kind:
            raise ValueError("one side is an image, the other a video")
    key = pair_key(kind, row.prompt, first, second)
    extra = _storable(row.extra)
    return NewPair(index, key, kind, row.prompt, first, second, row.preference, True, extra)


def _storable(extra: dict[str, Any]) -> str:
    """``extra`` as JSON that every database can hold: without NaN, NUL and broken text."""
    try:
        text = _ENCODER.encode(extra)
        if "\\u0000" not in text and "\\ud" not in text:
            return text
    except ValueError:  # NaN
        pass
    return _ENCODER.encode({key: value for key, value in extra.items() if _is_plain(value)})


def _is_plain(value: Any) -> bool:
    try:
        text = _ENCODER.encode(value)
        json.dumps(value, ensure_ascii=False).encode()  # fails on half of a surrogate pair
    except ValueError:
        return False
    return "\\u0000" not in text


def find_data_root(parts: list[tuple[Source, Path]], given: Path | None) -> tuple[Path, list[str]]:
    """The folder that all media lie in, and what to put before the paths of each file.

    Raises:
        DatasetError: It is not there, or the files have none in common.
    """
    if given is not None:
        root = given.expanduser().absolute()
        if not root.is_dir():
            raise DatasetError(f"{root}: no such folder", hint=Hint("{data_root} is where the media are"))
        return root, [""] * len(parts)
    roots = [source.data_root(path) for source, path in parts]
    common = Path(os.path.commonpath(roots))
    if len(set(roots)) > 1 and common == Path(common.anchor):
        raise DatasetError("the files' media have no folder in common", hint=Hint("give one with {data_root}"))
    below = [root.relative_to(common).as_posix() for root in roots]
    return common, ["" if part == "." else f"{part}/" for part in below]


def find_link_folders(given: Sequence[Path]) -> tuple[str, ...]:
    """The folders that symbolic links may lead to, absolute and sorted.

    Raises:
        DatasetError: One is not there.
    """
    folders = [folder.expanduser().absolute() for folder in given]
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder", hint=Hint("{allow_links_to} is where links may lead"))
    return tuple(sorted({str(folder) for folder in folders}))
