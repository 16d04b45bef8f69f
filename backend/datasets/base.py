"""What a dataset source is, and the rows that it reads, each usable or said to be broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from backend.domain.pairs import MediaKind, OrderPolicy, Preference
from backend.foreign_text import quoted
from backend.options import Options, changed

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


def beside(path: Path) -> Path:
    """The folder that a file lies in."""
    return path.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of dataset as it is declared, in the file that reads it.

    Attributes:
        name: As in ``NAME:PATH``.
        label: What people call it.
        purpose: One sentence.
        file: Which files it reads, and their keys.
        preference: Which side of a row is the better one.
        media: The kinds of its pairs.
        example: A row of its file as JSON, whose better medium is called ``better`` and the other ``worse``.
        ending: Of the file that holds the example.
        read: Streams the rows of a file, in its order, in bounded memory, given the file, the folder that
            its media paths are relative to, and the options. Raises a DatasetError where the file cannot
            be read at all.
        winner_first: A file of it can put the better side first throughout. Such a dataset is shuffled
            unless told otherwise, because position would tell the label.
        data_root: The folder that the media paths of a file are relative to.
        options: What can be chosen about it.
        given: What was chosen; ``None`` for the defaults.
    """

    name: str
    label: str
    purpose: str
    file: str
    preference: str
    media: tuple[MediaKind, ...]
    example: Mapping[str, Any]
    ending: str
    read: Callable[[Path, Path, Any], Iterator[SourceRow | BrokenRow]]
    winner_first: bool = True
    data_root: Callable[[Path], Path] = beside
    options: type[Options] = Options
    given: Options | None = None

    @property
    def order(self) -> OrderPolicy:
        """What a run shows unless told otherwise."""
        return OrderPolicy.SHUFFLED if self.winner_first else OrderPolicy.DATASET

    @property
    def spec(self) -> str:
        """Its name with the options that differ from their defaults, ``NAME+OPTION=VALUE``."""
        found = [self.name]
        for name, value in changed(self.given or self.options()).items():
            several = value if isinstance(value, tuple) else (value,)
            found += [f"{name}={quote(str(part), safe='')}" for part in several]
        return "+".join(found)

    def rows(self, path: Path, data_root: Path | None = None) -> Iterator[SourceRow | BrokenRow]:
        """The rows of one file; see :attr:`read`.

        Args:
            data_root: Where the media are, if not at :attr:`data_root`.
        """
        return self.read(path, data_root or self.data_root(path), self.given or self.options())


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
