"""What an export format is, and the writer of its files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.domain.pairs import MediaKind
from backend.export.files import ExportFile, JsonArray
from backend.files import Folder
from backend.options import Options

if TYPE_CHECKING:
    # A trainer's interpreter reads formats, and has no database to make rows from.
    from backend.export.rows import ExportRow

MARKS = {MediaKind.IMAGE: "_t2i", MediaKind.VIDEO: "_t2v"}
"""In the names of files, where a set of both kinds becomes a file a kind."""


def _kind_of(row: Mapping[str, Any]) -> MediaKind:
    return MediaKind.VIDEO if "video_fps" in row or "videos" in row else MediaKind.IMAGE


class Writer:
    """Files of one export, opened when the first row for them comes.

    Args:
        folder: Where the files go.
        kinds: The media kinds of the set.
        split: Whether validation files are written beside the training files.
        options: The format's own.

    Attributes:
        joined: Rows that hold in one turn what the judge was shown in two.
    """

    def __init__(self, format: Format, folder: Folder, kinds: set[MediaKind], *, split: bool, options: Options) -> None:
        self.format, self.folder, self.kinds, self.split, self.options = format, folder, kinds, split, options
        self.stack = ExitStack()
        self.files: dict[str, Any] = {}
        self.joined = 0

    def add(self, row: ExportRow, part: str) -> None:
        """Write one row to ``train`` or ``val``."""
        self.joined += self.format.one_turn and row.form.between_users is None
        name = self.format.file_name(part, row.kind, self.kinds)
        self.open(name, self.format.layout).add(self.format.row(row, self.options))

    def misread(self, row: ExportRow) -> str | None:
        """What a row's texts spell that this format's readers take for something else: the place of a
        medium, or a special token. Such a row would not be trained on as it was judged."""
        if not self.format.as_chat:
            return None
        texts = (row.instruction, row.response)
        place = next((place for place in self.format.places for text in texts if place in text), None)
        return place or row.form.spelled(texts)

    def extras(self) -> Iterator[tuple[str, Any]]:
        """Small files to write beside the rows: name, and text or a JSON value."""
        return iter(())

    def open(self, name: str, make: Callable[..., ExportFile]) -> Any:
        """The file of that name, opened once."""
        if name not in self.files:
            file = make(self.folder.path / name, within=self.folder)
            self.files[name] = self.stack.enter_context(file)
        return self.files[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format as it is declared, in the file that writes it.

    Attributes:
        name: As in ``--format NAME``.
        label: Behind its name where one is chosen.
        purpose: One sentence.
        programs: Which read it.
        row: A row as its file holds it, given the row and the format's options. The two media stand in
            shown order, and the row's answer is relative to it.
        media: The paths of the two media in such a row, in shown order.
        stem: How the names of its files of rows begin.
        ending: How they end.
        layout: The file of rows.
        kinds: Media that it can hold.
        by_kind: A set of both kinds becomes a file a kind.
        kind: Of the media in such a row, where files are of one kind.
        as_chat: Its readers put the texts into a chat template.
        one_turn: A row holds in one turn of the user what the judge was shown in two.
        places: What its readers put a medium for, wherever it stands in a text.
        frames: Videos are written anew, with the frames that the judge was shown.
        options: What can be chosen about it.
        writer: Writes what there is beside the rows.
    """

    name: str
    label: str
    purpose: str
    row: Callable[[ExportRow, Any], Mapping[str, Any]]
    media: Callable[[Mapping[str, Any]], tuple[str, str]]
    programs: tuple[str, ...] = ()
    stem: str = "winnow"
    ending: str = ".json"
    layout: type[ExportFile] = JsonArray
    kinds: tuple[MediaKind, ...] = tuple(MediaKind)
    by_kind: bool = False
    kind: Callable[[Mapping[str, Any]], MediaKind] = _kind_of
    as_chat: bool = False
    one_turn: bool = False
    places: tuple[str, ...] = ()
    frames: bool = False
    options: type[Options] = Options
    writer: type[Writer] = Writer

    def file_name(self, part: str, kind: MediaKind | None, kinds: Collection[MediaKind], stem: str = "") -> str:
        """The name of a file of rows.

        Args:
            part: ``train`` or ``val``.
            kind: Of the row.
            kinds: Of the set.
            stem: Of a file that lies beside those of rows.
        """
        mark = MARKS[kind] if kind and self.by_kind and len(kinds) > 1 else ""
        return f"{stem or self.stem}{mark}{'_val' if part == 'val' else ''}{self.ending}"

    def holds_rows(self, name: str) -> bool:
        """Whether a file of its exports is one of rows, by its name."""
        return name.startswith(self.stem) and name.endswith(self.ending)

    def rows(self, path: Path) -> Iterator[dict[str, Any]]:
        """The rows of one of its files, one at a time."""
        return self.layout.rows_of(path)
