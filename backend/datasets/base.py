"""What an adapter gives: rows of a dataset's file, each usable or said to be broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from backend.domain.pairs import MediaKind, OrderPolicy, Preference
from backend.foreign_text import quoted

UNREADABLE_HINT = "see whether the file is there, and whether you may read it"


class SourceRow(NamedTuple):
    """One usable row. A tuple, because a million of them pass by.

    Attributes:
        row: 0-based in its file.
        first: Path as the media are stored, relative to the data root.
        preference: Relative to dataset order, that of ``first`` and ``second``.
        kind: ``None`` when only the files' extensions tell.
        extra: What the source adds: models, scores, confidence.
        ignored: Keys of the row that its source does not know and left out.
    """

    row: int
    prompt: str
    first: str
    second: str
    preference: Preference
    kind: MediaKind | None
    extra: dict[str, Any]
    ignored: tuple[str, ...] = ()


class BrokenRow(NamedTuple):
    """A row that cannot be used, and why; ``row`` is 0-based in its file."""

    row: int
    message: str


class Source(Protocol):
    """One dataset format.

    Attributes:
        kind: Of all its pairs; ``None`` where each row tells.
        order: What a run shows unless told otherwise: ``shuffled`` wherever a file can put the better
            side first throughout, because position would tell the label then.
    """

    name: str
    kind: MediaKind | None
    order: OrderPolicy

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:
        """Stream the rows of one file, in its order, in bounded memory.

        Args:
            data_root: Where the media are, if not at :meth:`default_data_root`.

        Raises:
            DatasetError: The file cannot be read at all, or lacks a needed column.
        """
        ...

    def default_data_root(self, path: Path) -> Path:
        """The folder that the media paths of ``path`` are relative to."""
        ...


class RowProblem(ValueError):
    """Raised by a converter for a row it cannot use; becomes a :class:`BrokenRow`."""


def text_field(item: Mapping[str, Any], key: str) -> str:
    """The non-empty string under ``key``.

    Raises:
        RowProblem: There is none.
    """
    value = item.get(key)
    if isinstance(value, bytes) or (isinstance(value, dict) and "bytes" in value):
        raise RowProblem(f"{quoted(key)} holds the medium itself; only paths of files are read")
    if isinstance(value, str) and value:
        return value
    if value is None:
        raise RowProblem(f"no {quoted(key)}")
    raise RowProblem(f"{quoted(key)} is {'empty' if value == '' else 'not a text'}")
